"""Who may log in over SSH: the members of the group are those whom the fleet names, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from palisade.controls import load_controls
from palisade.fleet import FleetHost, HostGroup
from palisade.verification.check import Recorder
from tests.check_modules import ROOT, checks_of

CONTROL = load_controls(ROOT).get("ssh-only-named-group")


@dataclass
class Host:
    """A host whose daemon is as it should be."""

    members: str
    target: FleetHost

    def status_and_output(self, command: str) -> tuple[int, str]:
        assert command == "getent group palisade-ssh"
        return (0, f"palisade-ssh:x:998:{self.members}\n")


@pytest.mark.parametrize(
    ("logins", "members", "found"),
    [
        ((), "palisade", None),
        (("bob", "alice"), "alice,palisade,bob", None),
        ((), "palisade,games", "the members of palisade-ssh are games, palisade, expected palisade"),
        (("alice",), "palisade,alice,games", "are alice, games, palisade, expected alice, palisade"),
        (("alice",), "palisade", "are palisade, expected alice, palisade"),
    ],
)
def test_exactly_those_whom_the_fleet_names_are_in_the_group(
    logins: tuple[str, ...], members: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = checks_of(CONTROL)
    monkeypatch.setattr(checks, "_problems", lambda *_: [])
    target = FleetHost(name="db-1", group=HostGroup.DATABASE, address=IPv4Address("10.0.1.3"), logins=logins)
    recorder = Recorder(runtime={})
    if found is None:
        checks.test_group(CONTROL, recorder, Host(members, target))
    else:
        with pytest.raises(AssertionError, match=found):
            checks.test_group(CONTROL, recorder, Host(members, target))
