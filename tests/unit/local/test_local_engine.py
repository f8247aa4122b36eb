from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from local_samples import FLEET, NETWORK, machine, places

import palisade.local.engine as engine_module
from palisade.errors import ConfigurationError, PalisadeError
from palisade.local.engine import SPECIFICATION_LABEL, Engine, FoundHost, configuration_text, host_state, storage_text
from palisade.local.hosts import Hosts
from palisade.local.image import HostImages
from palisade.local.keys import make_keys
from palisade.local.machine import Machine
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]

HYBRID_CONTAINER = machine(
    cgroup_unified=False, systemd=False, files_limit=20_000, processes_limit=32_768, may_raise_limits=False
)


def read(configured: Machine) -> dict[str, dict[str, object]]:
    return tomllib.loads(configuration_text(configured, "/run/palisade/x"))


def test_an_ordinary_machine_keeps_the_defaults_of_podman() -> None:
    document = read(machine())
    assert document["containers"] == {}
    assert document["engine"] == {"lock_type": "file", "tmp_dir": "/run/palisade/x"}


def test_cgroup_v1_beside_v2_takes_runc_and_low_limits_are_not_exceeded() -> None:
    document = read(HYBRID_CONTAINER)
    assert document["containers"] == {"default_ulimits": ["nofile=20000:20000", "nproc=32768:32768"]}
    assert document["engine"] == {
        "lock_type": "file",
        "tmp_dir": "/run/palisade/x",
        "runtime": "runc",
        "cgroup_manager": "cgroupfs",
        "events_logger": "file",
    }


@pytest.mark.parametrize(
    ("limits", "ulimits"),
    [
        ({"files_limit": 1_048_576, "processes_limit": 4_194_304}, None),
        ({"files_limit": 1_048_575, "processes_limit": 4_194_304}, ["nofile=1048575:1048575"]),
        ({"files_limit": 2**63 - 1, "processes_limit": 100}, ["nproc=100:100"]),
    ],
)
def test_only_limits_that_are_too_low_are_set(limits: dict[str, int], ulimits: list[str] | None) -> None:
    assert read(machine(may_raise_limits=False, **limits))["containers"].get("default_ulimits") == ulimits
    assert read(machine(may_raise_limits=True, **limits))["containers"] == {}


def test_everything_that_the_engine_writes_is_in_the_fleets_own_places(tmp_path: Path) -> None:
    engine = Engine(places(tmp_path))
    options = dict(option.split("=", 1) for option in engine.arguments if "=" in option)
    assert {name for name, value in options.items() if not value.startswith(str(tmp_path))} == {"--storage-driver"}
    assert all(value.startswith(str(tmp_path)) for value in engine.environment.values())
    storage = tomllib.loads(storage_text(engine.places))["storage"]
    assert (storage["graphroot"], storage["runroot"]) == (options["--root"], options["--runroot"])


@pytest.mark.parametrize(("said", "expected"), [("running", "running"), ("exited", "exited"), ("created", "created")])
def test_a_host_whose_first_process_lives_is_what_podman_says(said: str, expected: str) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert host_state(said, process.pid) == expected


@pytest.mark.parametrize(
    ("said", "expected"), [("running", "dead"), ("stopping", "dead"), ("exited", "exited"), ("created", "created")]
)
def test_a_host_whose_first_process_is_gone_is_dead_whatever_podman_says(said: str, expected: str) -> None:
    process = subprocess.Popen(["true"], stdin=subprocess.DEVNULL)
    # A process that has ended but was not waited for (a zombie) still has an entry in /proc.
    subprocess.run(["sh", "-c", f"while ! grep -q ') Z' /proc/{process.pid}/stat; do :; done"], check=True, timeout=5)
    assert host_state(said, process.pid) == expected
    process.wait()
    assert host_state(said, process.pid) == expected


def fleet_hosts(directory: Path) -> Hosts:
    where = places(directory)
    make_keys(where, [host.name for host in FLEET.hosts])
    images = HostImages.of(REPOSITORY / "images", where.images)
    return Hosts(engine=Engine(where), places=where, images=images, fleet=FLEET, machine=machine())


def as_found(hosts: Hosts, state: str = "running") -> dict[str, FoundHost]:
    return {host.name: FoundHost(state, hosts.specification(host), None) for host in FLEET.hosts}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return fleet_hosts(tmp_path_factory.mktemp("hosts"))


def test_a_host_is_created_with_its_name_address_and_what_it_was_made_from(hosts: Hosts) -> None:
    arguments = hosts.create_arguments(FLEET.hosts[0])
    assert arguments[0] == "create"
    assert {"--name=bastion-1", "--hostname=bastion-1", "--ip=10.79.0.10", "--network=palisade-0123ab"} <= set(
        arguments
    )
    assert {"--privileged", "--systemd=always", "--restart=always"} <= set(arguments)
    assert f"--label={SPECIFICATION_LABEL}={hosts.specification(FLEET.hosts[0])}" in arguments
    assert arguments[-2:] == (hosts.images.host.name, "/usr/local/sbin/start-host")


def test_hosts_have_a_control_group_of_ours_only_where_systemd_gives_them_none(hosts: Hosts) -> None:
    container = replace(hosts, machine=HYBRID_CONTAINER)
    host = FLEET.hosts[0]
    assert set(container.create_arguments(host)) - set(hosts.create_arguments(host)) == {
        "--cgroup-parent=/palisade-0123ab"
    }
    assert container.specification(host) == hosts.specification(host)


def test_hosts_that_are_as_configured_are_accepted_and_so_are_hosts_that_are_still_missing(hosts: Hosts) -> None:
    hosts.refuse_others({})
    hosts.refuse_others(as_found(hosts))
    hosts.refuse_others({"db-1": as_found(hosts)["db-1"]})


def test_hosts_that_were_made_from_something_else_are_refused_by_name(hosts: Hosts) -> None:
    moved = FLEET.hosts[1].model_copy(update={"address": NETWORK[99]})
    found = as_found(hosts)
    found["registry-1"] = FoundHost("running", hosts.specification(moved), None)
    found["registry-9"] = FoundHost("exited", "0" * 16, None)
    with pytest.raises(ConfigurationError) as refused:
        hosts.refuse_others(found)
    assert refused.value.problem == (
        "The fleet test exists as something else (made from another configuration, image or key: registry-1; "
        "no longer in the configuration: registry-9)."
    )
    assert refused.value.remedy is not None
    assert refused.value.remedy.endswith(
        "palisade local down --environment test && palisade local up --environment test"
    )


def test_another_network_or_key_makes_other_hosts(hosts: Hosts, tmp_path: Path) -> None:
    host = FLEET.hosts[0]
    networks = FLEET.networks.model_copy(update={"fleet": IPv4Network("10.79.0.0/16")})
    wider = replace(hosts, fleet=FLEET.model_copy(update={"networks": networks}))
    assert wider.specification(host) != hosts.specification(host)
    assert fleet_hosts(tmp_path).specification(host) != hosts.specification(host)


def test_dead_hosts_are_refused_by_name(hosts: Hosts) -> None:
    with pytest.raises(PalisadeError, match=r"lost to the engine: bastion-1, db-1, registry-1\."):
        hosts.refuse_others(as_found(hosts, "dead"))


@contextmanager
def helper(program: Path, storage: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process as podman starts them for a host: it goes on until its input ends."""
    program.symlink_to("/bin/sh")
    arguments = [program, "-c", "read line", "--root", storage]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE) as process:
        # Popen is back a moment before /proc tells the new name and arguments.
        place = Path("/proc", str(process.pid))
        named = lambda: place.joinpath("comm").read_text() == f"{program.name}\n"  # noqa: E731
        wait_until(
            lambda: named() and bytes(storage) in place.joinpath("cmdline").read_bytes(), "the process does not run"
        )
        yield process


def test_removing_waits_for_those_who_would_make_the_storage_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(places(tmp_path))
    looks: list[float] = []
    with helper(tmp_path / "conmon", engine.places.engine / "storage") as process:

        def end(seconds: float) -> None:
            looks.append(seconds)
            process.communicate()

        monkeypatch.setattr(engine_module.time, "sleep", end)
        engine.wait_for_helpers()
        assert process.returncode is not None
    assert len(looks) == 1


def test_who_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(places(tmp_path))
    monkeypatch.setattr(engine_module, "REMOVAL_SECONDS", -1.0)
    with (
        helper(tmp_path / "podman", engine.places.engine / "storage") as process,
        pytest.raises(PalisadeError, match=f"process {process.pid}"),
    ):
        engine.wait_for_helpers()


@pytest.mark.parametrize(("program", "fleet"), [("podman", "other"), ("tail", "state of test")])
def test_other_fleets_and_other_programs_are_not_waited_for(tmp_path: Path, program: str, fleet: str) -> None:
    engine = Engine(places(tmp_path))
    with helper(tmp_path / program, tmp_path / fleet / "engine/storage"):
        engine.wait_for_helpers()
