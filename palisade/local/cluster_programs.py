"""The programs that the hosts of a local fleet run: got ready on this machine, seen by the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from palisade.fleet import Fleet, HostGroup
from palisade.local.linked import link_or_copy
from palisade.local.places import Places

TOOLS = ("kubernetes", "kube-router", "coredns", "cert-manager", "opa-envoy-plugin", "apicurio-registry", "envoy")
"""What of ``tools/`` the cluster runs."""
VAULT_TOOLS = ("openbao",)
"""What of ``tools/`` a fleet with a Vault runs."""


def needed_tools(fleet: Fleet) -> tuple[str, ...]:
    """What of ``tools/`` the hosts of this fleet run."""
    return (*(TOOLS if fleet.has_cluster else ()), *(VAULT_TOOLS if fleet.in_group(HostGroup.VAULT) else ()))


def provide_programs(programs: Mapping[str, Path], places: Places) -> None:
    """Have exactly these programs in the directory that is mounted into the hosts.

    A program that was replaced is another file under the same name; who runs it goes on with the earlier one.

    Args:
        programs: The path of each program by its name.
        places: The places of the fleet.
    """
    places.programs.mkdir(exist_ok=True)
    for name, path in programs.items():
        link_or_copy(path, places.programs / name)
    for path in places.programs.iterdir():
        if path.name not in programs:
            path.unlink()
