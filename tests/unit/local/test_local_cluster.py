from __future__ import annotations

from pathlib import Path

import pytest
from local_samples import CLUSTER_FLEET, FLEET, places

from palisade.console import Step
from palisade.errors import PalisadeError
from palisade.local import cluster as module
from palisade.local.cluster import PLAYBOOK, SOURCES, Cluster
from palisade.local.kubernetes import node_state, node_states
from palisade.playbook import Play

PLAYED = Play("ansible-playbook", 0, "control-1 : ok=9  changed=3  unreachable=0\nregistry-1 : ok=4  changed=2  x")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    where = places(tmp_path)
    for directory in (where.programs, where.container_images / "pause"):
        directory.mkdir(parents=True)
    (where.programs / "kubelet").write_bytes(b"1")
    (where.container_images / "pause/index.json").write_text("1", encoding="ascii")
    for name in SOURCES:
        (tmp_path / "checkout" / name).mkdir(parents=True)
    (tmp_path / "checkout/playbooks").mkdir()
    (tmp_path / "checkout" / PLAYBOOK).write_text("[]", encoding="ascii")
    return Cluster(CLUSTER_FLEET, where, tmp_path / "checkout")


class World:
    """What the playbook and the API server answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plays = 0
        self.played = PLAYED
        self.nodes = {"registry-1": "Ready"}
        monkeypatch.setattr(module, "play", self._play)
        monkeypatch.setattr(module, "node_states", lambda *_: self.nodes)

    def _play(self, *_: object, **__: object) -> Play:
        self.plays += 1
        return self.played


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_cluster_that_is_up_is_left_alone(cluster: Cluster, world: World) -> None:
    assert cluster.make(Step(), untouched=False) == "5 changes"
    assert cluster.make(Step(), untouched=True) == "already up"
    assert world.plays == 1


@pytest.mark.parametrize(
    "file",
    [
        "state of test/programs/kubelet",
        "state of test/images/pause/index.json",
        "state of test/cluster/hosts/registry-1/kubelet.key",
        f"checkout/{PLAYBOOK}",
        f"checkout/{SOURCES[0]}/main.yml",
        f"checkout/{SOURCES[1]}/config.j2",
    ],
)
def test_the_playbook_runs_again_when_something_has_changed(
    cluster: Cluster, world: World, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.make(Step(), untouched=False)
    monkeypatch.setattr(module, "make_cluster_keys", lambda *_: None)
    (tmp_path / file).write_text("something else", encoding="ascii")
    assert cluster.make(Step(), untouched=True) == "5 changes"
    assert cluster.make(Step(), untouched=True) == "already up"
    assert world.plays == 2


def test_the_playbook_runs_again_while_a_node_is_not_ready(cluster: Cluster, world: World) -> None:
    cluster.make(Step(), untouched=False)
    world.nodes = {"registry-1": "NotReady"}
    assert cluster.make(Step(), untouched=True) == "5 changes"


def test_hosts_that_were_started_again_get_the_playbook(cluster: Cluster, world: World) -> None:
    cluster.make(Step(), untouched=False)
    cluster.make(Step(), untouched=False)
    assert world.plays == 2


def test_a_playbook_that_failed_is_run_again_whatever_the_nodes_say(cluster: Cluster, world: World) -> None:
    cluster.make(Step(), untouched=False)
    (cluster.places.programs / "kubelet").write_bytes(b"22")
    world.played = Play("ansible-playbook -i x", 2, "TASK [a] ***\n\nfatal: [registry-1]: FAILED! no room\n\nmore")
    with pytest.raises(PalisadeError, match=r"fatal: \[registry-1\]: FAILED! no room") as failed:
        cluster.make(Step(), untouched=True)
    assert failed.value.where == "ansible-playbook -i x"
    (cluster.places.programs / "kubelet").write_bytes(b"1")
    world.played = PLAYED
    assert cluster.make(Step(), untouched=True) == "5 changes"


@pytest.mark.parametrize(
    ("conditions", "spec", "expected"),
    [
        ([{"type": "Ready", "status": "True"}], {}, "Ready"),
        ([{"type": "Ready", "status": "Unknown"}], {}, "NotReady"),
        ([{"type": "DiskPressure", "status": "False"}], {}, "NotReady"),
        ([{"type": "Ready", "status": "True"}], {"unschedulable": True}, "Ready, cordoned"),
    ],
)
def test_the_state_of_a_node_in_words(conditions: list[dict[str, str]], spec: dict[str, bool], expected: str) -> None:
    assert node_state({"status": {"conditions": conditions}, "spec": spec}) == expected


def test_a_node_that_has_not_reported_yet_is_not_ready() -> None:
    assert node_state({"status": {}, "spec": {}}) == "NotReady"


def test_nodes_of_an_api_server_that_does_not_answer_are_unknown(tmp_path: Path) -> None:
    where = places(tmp_path)
    where.kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
        "clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: x, context: {cluster: x, user: x}}]\nusers: [{name: x, user: {}}]\n",
        encoding="ascii",
    )
    assert node_states(CLUSTER_FLEET, where) == {"registry-1": "unknown"}
    assert node_states(FLEET, where) == {}
