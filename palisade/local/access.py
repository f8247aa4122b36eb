"""How a local fleet is reached: the OpenSSH client configuration and the known host keys, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from palisade.errors import ConfigurationError
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.local.keys import public_key
from palisade.local.places import Places
from palisade.local.processes import write_whole


def ssh_config_text(fleet: Fleet, places: Places) -> str:
    """The client configuration: every host by its name, all but the bastion through the bastion.

    Raises:
        ConfigurationError: the fleet has no bastion.
    """
    bastions = fleet.in_group(HostGroup.BASTION)
    if not bastions:
        raise ConfigurationError(
            "The fleet has no bastion.", where="fleet.hosts", allowed="at least one host of the group bastion"
        )
    return "\n".join(_entry(host, places, jump=None if host in bastions else bastions[0].name) for host in fleet.hosts)


def known_hosts_text(host_keys: Mapping[str, str]) -> str:
    """The file that lists the one key of each host.

    Args:
        host_keys: Public host key (type and key) by the name of the host.
    """
    return "".join(f"{name} {key}\n" for name, key in sorted(host_keys.items()))


def ssh_arguments(places: Places, host: str, command: Sequence[str] = (), *, batch: bool = False) -> tuple[str, ...]:
    """The ``ssh`` command line that reaches a host; nothing of the user's own configuration takes part.

    Args:
        places: The places of the fleet.
        host: The name of the host.
        command: What to run there; a shell for the user if empty.
        batch: Never ask anything (the call is not made by a person).
    """
    options = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=5") if batch else ()
    return ("ssh", "-F", str(places.ssh_config), *options, host, *(("--", *command) if command else ()))


def write_access(fleet: Fleet, places: Places) -> None:
    """Write ``ssh_config`` and ``known_hosts`` for this fleet.

    Raises:
        ConfigurationError: the fleet has no bastion.
    """
    keys = {host.name: public_key(places.host_key(host.name, "ed25519")) for host in fleet.hosts}
    write_whole(places.known_hosts, known_hosts_text(keys))
    write_whole(places.ssh_config, ssh_config_text(fleet, places))


def _entry(host: FleetHost, places: Places, *, jump: str | None) -> str:
    settings = {
        "HostName": str(host.address),
        "User": host.ssh_user,
        "Port": str(host.ssh_port),
        "IdentityFile": f'"{places.identity}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{places.known_hosts}"',
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": host.name,
        "ControlMaster": "no",
        "ControlPath": "none",
        "ServerAliveInterval": "5",
    }
    if jump:
        settings["ProxyJump"] = jump
    return f"Host {host.name}\n" + "".join(f"    {name} {value}\n" for name, value in settings.items())
