"""Contract 2: the ``fleet`` object that a stack exports and the local fleet writes: versioned, without secrets."""

from __future__ import annotations

import json
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palisade.errors import ConfigurationError

FLEET_VERSION = 1


class HostGroup(StrEnum):
    """What a host is for; it decides which roles and which firewall rules the host gets."""

    BASTION = "bastion"
    REGISTRY = "registry"
    DATABASE = "database"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FleetHost(_Frozen):
    """One machine that Ansible hardens."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    group: HostGroup
    address: IPv4Address
    ssh_user: str = Field(default="palisade", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    ssh_port: int = Field(default=22, ge=1, le=65535)


class FleetNetworks(_Frozen):
    """Which networks may talk to the fleet."""

    fleet: IPv4Network
    """The network that the hosts themselves are in."""
    operators: tuple[IPv4Network, ...]
    """Where operators come from; the only source that the bastion admits on its SSH port."""
    clients: tuple[IPv4Network, ...]
    """Where API clients come from; the only source that registry nodes admit on 443 and 8443."""


class Fleet(_Frozen):
    """The hosts of one environment and how they are reached."""

    version: Literal[1]
    environment: str
    hosts: tuple[FleetHost, ...] = Field(min_length=1)
    networks: FleetNetworks
    ssh_config: Path | None = None
    """An OpenSSH client configuration that reaches every host by name (local fleet); None means the user's own."""

    def in_group(self, group: HostGroup) -> tuple[FleetHost, ...]:
        """The hosts of one group, in the order of the fleet."""
        return tuple(host for host in self.hosts if host.group is group)

    def to_json(self) -> str:
        """The same bytes for the same fleet: sorted keys, a newline at the end."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def load_fleet(path: Path) -> Fleet:
    """Read a saved fleet object.

    Raises:
        ConfigurationError: the file is missing, is not JSON, has another version or a field that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The fleet object cannot be read: {error.strerror}.",
            where=str(path),
            remedy="start the fleet or save the stack's output: pulumi stack output fleet --json > fleet.json",
        ) from error
    return parse_fleet(text, where=str(path))


def parse_fleet(text: str, *, where: str) -> Fleet:
    """Read a fleet object from JSON text.

    Raises:
        ConfigurationError: not JSON, another version, or a field that is not allowed.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"The fleet object is not JSON: {error.msg} (line {error.lineno}).", where=where
        ) from error
    version = document.get("version") if isinstance(document, dict) else None
    if version != FLEET_VERSION:
        raise ConfigurationError(
            f"The fleet object has version {version!r}.",
            where=f"{where}: version",
            allowed=str(FLEET_VERSION),
            remedy="update the stack (pulumi up) or use the palisade release that wrote it",
        )
    try:
        return Fleet.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where=f"{where}: {path}") from error
