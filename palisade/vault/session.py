"""Brings together what work on a Vault needs: the configuration, the declaration, the connection, the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palisade.config import FleetConfiguration, fleet_of, load_configuration
from palisade.errors import PalisadeError
from palisade.local.processes import write_whole
from palisade.project import Project
from palisade.vault.access import find_vault, root_certificate_file
from palisade.vault.kinds.cluster_api import ReviewerApi
from palisade.vault.kinds.context import Context
from palisade.vault.resources import DIRECTORY, Declared, load_declared
from palisade.vault.values import values_of
from palisade.verification.cluster_access import ClusterAccess, find_cluster

if TYPE_CHECKING:
    from palisade.vault.client import Vault


@dataclass
class Session:
    """An open connection to the Vault of an environment.

    Args:
        project: The checkout.
        configuration: The environment.
        vault: The connection; the server is ready and accepts the token.
    """

    project: Project
    configuration: FleetConfiguration
    vault: Vault
    _open: ExitStack

    @property
    def environment(self) -> str:
        """The name of the environment."""
        return self.configuration.environment

    @cached_property
    def declared(self) -> Declared:
        """What is declared to be in this Vault."""
        return load_declared(declaration_root(self.project), values_of(self.configuration))

    @property
    def context(self) -> Context:
        """What a comparison is made with."""
        has_cluster = self.configuration.cluster is not None
        return Context(self.vault, self._reviewer if has_cluster else None)

    @property
    def lock(self) -> str:
        """The entry of the KV engine that is the lock."""
        return f"{self.configuration.vault.mounts.secrets}/data/palisade/lock"

    def root_certificate(self) -> str:
        """The certificate of the root authority, PEM.

        Raises:
            PalisadeError: there is none yet.
        """
        mount = self.configuration.vault.mounts.pki_root
        found = self.vault.read(f"{mount}/cert/ca")
        if not found or not found.get("certificate"):
            raise PalisadeError(
                "There is no root authority yet.",
                where=f"{self.vault.access.address}/v1/{mount}",
                remedy=f"palisade vault apply {self.environment}",
            )
        return str(found["certificate"]).strip() + "\n"

    def write_root_certificate(self) -> Path:
        """Write the certificate of the root authority to where clients look for it."""
        path = root_certificate_file(self.environment)
        text = self.root_certificate()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, text)
        return path

    @cached_property
    def cluster(self) -> Any:
        """The cluster of the environment, which answers.

        Raises:
            PalisadeError: there is none, or it does not answer.
        """
        # The client of Kubernetes takes a second to load: only who has a cluster waits for it.
        from palisade.verification.cluster import Cluster  # noqa: PLC0415

        cluster = self._open.enter_context(Cluster(self._cluster_access(), list))
        cluster.require_reachable()
        return cluster

    def _cluster_access(self) -> ClusterAccess:
        access = find_cluster(self.project, fleet_of(self.configuration))
        if access is None:
            raise PalisadeError(
                f"{self.environment} has no cluster.",
                where=f"Pulumi.{self.environment}.yaml: fleet.cluster",
                remedy="describe it there (docs/configuration.md)",
            )
        return access

    def _reviewer(self) -> ReviewerApi:
        cluster = self.cluster
        settings = cluster.settings
        return ReviewerApi(
            objects=cluster,
            server=self.configuration.vault.kubernetes_address or settings.host,
            certificate=Path(settings.ssl_ca_cert).read_text(encoding="utf-8").strip() if settings.ssl_ca_cert else "",
            namespace=self.configuration.vault.cert_manager.namespace,
        )


@contextmanager
def vault_session(project: Project, environment: str) -> Iterator[Session]:
    """Connect to the Vault of an environment.

    Args:
        project: The checkout.
        environment: The name of the environment.

    Raises:
        PalisadeError: the configuration is refused, there is no token, or Vault is not ready.
    """
    # hvac takes its time to load: only who talks to Vault waits for it.
    from palisade.vault.client import Vault  # noqa: PLC0415

    configuration = load_configuration(project, environment)
    with ExitStack() as stack:
        vault = stack.enter_context(Vault(find_vault(configuration)))
        vault.require_ready()
        yield Session(project, configuration, vault, stack)


def declaration_root(project: Project) -> Path:
    """The checkout whose ``policies/vault`` counts: the project's own, else that of this package."""
    own = Path(__file__).resolve().parents[2]
    return next((root for root in (project.root, own) if (root / DIRECTORY).is_dir()), own)
