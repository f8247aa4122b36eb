"""Where the cluster of an environment is, and what happens when it does not answer."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
import yaml
from verification_sample import a_fleet

from palisade.errors import ExitCode, PalisadeError
from palisade.fleet import HostGroup
from palisade.project import Project
from palisade.verification.cluster import Cluster
from palisade.verification.cluster_access import ClusterAccess, find_cluster
from palisade.verification.kubectl import run_with_kubectl
from palisade.verification.programs import flags

ROOT = Path(__file__).resolve().parents[3]


def a_kubeconfig(directory: Path, server: str) -> Path:
    path = directory / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "none"}}],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def refused(access: ClusterAccess) -> PalisadeError:
    with Cluster(access, list) as cluster, pytest.raises(PalisadeError) as caught:
        cluster.require_reachable()
    assert caught.value.exit_code is ExitCode.EXTERNAL
    assert "The cluster cannot be verified" in caught.value.problem
    return caught.value


def test_an_api_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    path = a_kubeconfig(tmp_path, f"https://127.0.0.1:{port}")
    error = refused(ClusterAccess(path, "here"))
    assert "Connection refused" in error.problem
    assert error.where == f"{path}, context here"


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    error = refused(ClusterAccess(tmp_path / "kubeconfig", "here"))
    assert error.where == f"{tmp_path / 'kubeconfig'}, context here"
    assert "palisade local up" in str(error.remedy)


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    error = refused(ClusterAccess(a_kubeconfig(tmp_path, "https://127.0.0.1:1"), "elsewhere"))
    assert "elsewhere" in error.problem


def test_a_local_fleet_has_a_cluster_when_it_has_a_control_host() -> None:
    without = a_fleet(bastion_1=HostGroup.BASTION, registry_1=HostGroup.REGISTRY)
    assert find_cluster(Project(ROOT), without) is None
    found = find_cluster(Project(ROOT), a_fleet(control_1=HostGroup.CONTROL, registry_1=HostGroup.REGISTRY))
    assert found is not None
    assert (found.context, found.networks["api_servers"]) == ("palisade-local", ("10.77.0.11/32",))
    assert str(found.kubeconfig).endswith("fleets/local/kubeconfig")


@pytest.mark.parametrize("has_section", [True, False])
def test_elsewhere_the_configuration_says_where_the_cluster_is(tmp_path: Path, *, has_section: bool) -> None:
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / "Pulumi.prod.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    section = document["config"]["palisade:fleet"]["cluster"]
    if not has_section:
        del document["config"]["palisade:fleet"]["cluster"]
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    fleet = a_fleet().model_copy(update={"environment": "prod"})
    found = find_cluster(Project(tmp_path), fleet)
    if has_section:
        assert found is not None
        assert found.context == section["context"]
        assert found.has_control_nodes is (section["control_plane"] == "nodes")
        assert found.networks["api_servers"] == tuple(f"{one}/32" for one in section["api_server"]["addresses"])
    else:
        assert found is None


def test_an_environment_without_a_configuration_has_no_cluster(tmp_path: Path) -> None:
    assert find_cluster(Project(tmp_path), a_fleet(control_1=HostGroup.CONTROL)) is None


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("echo $KUBECONFIG", 0, "kubeconfig"),
        ("false; echo no", 1, ""),
        ("echo wrong >&2; exit 3", 3, "wrong"),
    ],
)
def test_a_change_of_the_cluster_is_a_shell_command(tmp_path: Path, command: str, status: int, said: str) -> None:
    finished = run_with_kubectl(ClusterAccess(tmp_path / "kubeconfig", "here"), command)
    assert finished.rc == status
    assert said in finished.stdout + finished.stderr
    assert "no" not in finished.stdout.split()


def test_flags() -> None:
    arguments = ["--profiling=false", "--allow", "--tls=a", "--tls=b=c", "serve", "-v=2"]
    assert flags(arguments) == {"profiling": "false", "allow": "true", "tls": "b=c", "v": "2"}
