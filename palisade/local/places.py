"""Where a local fleet keeps things: what must last, what can be made again, what ends with this boot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from palisade.project import cache_directory, fleet_state_directory

RUNTIME_DIRECTORY = Path("/run/palisade")
"""What is only true until the machine is rebooted (Filesystem Hierarchy Standard 3.0, /run)."""


@dataclass(frozen=True)
class Places:
    """The directories and files of one local fleet.

    Args:
        environment: The name of the fleet.
        state: What must last while the fleet is up: keys, the hosts' disks, what ``up`` wrote for others.
        runtime: The engine's bookkeeping of this boot.
        images: Host images, shared by all fleets of this user.
    """

    environment: str
    state: Path
    runtime: Path
    images: Path

    @classmethod
    def of(cls, environment: str) -> Places:
        """The places of the fleet of this name and this user."""
        state = fleet_state_directory(environment)
        # Fleets of the same name but of another home must not meet in /run or in the kernel.
        digits = hashlib.sha256(bytes(state)).hexdigest()[:8]
        return cls(
            environment=environment,
            state=state,
            runtime=RUNTIME_DIRECTORY / f"{environment}-{digits}",
            images=cache_directory() / "images",
        )

    @property
    def digits(self) -> str:
        """Eight hexadecimal digits that no other fleet on this machine has."""
        return self.runtime.name.rpartition("-")[2]

    @property
    def fleet_file(self) -> Path:
        """The fleet object (contract 2); there from the first complete ``up`` until ``down``."""
        return self.state / "fleet.json"

    @property
    def ssh_config(self) -> Path:
        """The OpenSSH client configuration that reaches every host by name."""
        return self.state / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """The host keys that Palisade made for these hosts."""
        return self.state / "known_hosts"

    @property
    def identity(self) -> Path:
        """The private key that opens every host of this fleet."""
        return self.state / "id_ed25519"

    def host_key(self, host: str, kind: str) -> Path:
        """A private key of a host, of one of the types of :data:`palisade.local.keys.HOST_KEY_TYPES`."""
        return self.state / "host_keys" / host / f"ssh_host_{kind}_key"

    @property
    def network(self) -> str:
        """The name of the fleet's network, bridge and control group; 15 characters, the most that a bridge may have."""
        return f"palisade-{self.digits[:6]}"

    @property
    def engine(self) -> Path:
        """The engine's storage: images, hosts and their disks."""
        return self.state / "engine"

    @property
    def programs(self) -> Path:
        """The programs that hosts of the cluster run, as they see them."""
        return self.state / "programs"

    @property
    def container_images(self) -> Path:
        """The images that the cluster itself runs from, one OCI image layout each."""
        return self.state / "images"

    @property
    def kubeconfig(self) -> Path:
        """Opens the fleet's own cluster with every right."""
        return self.state / "kubeconfig"

    @property
    def cluster_keys(self) -> Path:
        """What each part of the cluster proves itself with (:mod:`palisade.local.cluster_keys`)."""
        return self.state / "cluster"

    @property
    def cluster_record(self) -> Path:
        """From what the cluster was made; there once it was made completely."""
        return self.state / "cluster.key"

    @property
    def vault(self) -> Path:
        """Of Vault: whom its clients trust, what its hosts are given, and the root token."""
        return self.state / "vault"

    @property
    def host_identities(self) -> tuple[str, ...]:
        """The engine's identifiers of the hosts, whether it can be asked or not."""
        directory = self.engine / "storage/overlay-containers"
        return tuple(sorted(path.name for path in directory.iterdir() if path.is_dir())) if directory.is_dir() else ()

    @property
    def has_hosts(self) -> bool:
        """Whether hosts of this fleet were started here; other environments keep a few files in such a place, too."""
        return self.engine.is_dir() or self.fleet_file.exists()

    @property
    def has_neighbours(self) -> bool:
        """Whether this user has other local fleets, or their images."""
        others = (path.name for path in self.state.parent.glob("*/") if path != self.state)
        return any(Places.of(name).has_hosts for name in others)

    @property
    def lock(self) -> Path:
        """Held by the one process that changes this fleet; beside the state, which ``down`` removes."""
        return self.state.with_name(f"{self.environment}.lock")
