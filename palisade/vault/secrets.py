"""Brings secrets from Vault to where they are used; they pass through no file and no state of Pulumi."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.validation import nearest
from palisade.vault.authorities import issuer_authorities
from palisade.vault.kinds.cluster_api import OWN_LABELS
from palisade.vault.resources import DIRECTORY, Kind
from palisade.vault.session import Session, declaration_root
from palisade.yaml_file import read_yaml

FILE = DIRECTORY / "kubernetes_secrets.yaml"
FIELD_MANAGER = "palisade-secrets"


class Certificate(StrEnum):
    """A certificate that a Secret can hold."""

    ROOT = "root"
    """Of the root authority of the fleet."""
    SERVER = "server"
    """Of who signed the certificate of Vault itself; empty if machines trust that one anyway."""
    ISSUER = "issuer"
    """Of who may have signed the certificate of the token issuer: Vault, or the organisation's own."""


class _Entry(BaseModel):
    """One Secret; each key is taken from an entry of the KV engine, or is a certificate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: str
    name: str
    entry: str | None = None
    keys: tuple[str, ...] = ()
    certificates: dict[str, Certificate] = {}


@dataclass(frozen=True)
class Applied:
    """What became of one Secret."""

    namespace: str
    name: str
    keys: tuple[str, ...]
    changed: bool

    def document(self) -> dict[str, Any]:
        """For JSON; without values."""
        return {"namespace": self.namespace, "name": self.name, "keys": list(self.keys), "changed": self.changed}


def show(session: Session, name: str) -> Mapping[str, str]:
    """The values of an entry of the KV engine.

    Args:
        session: The connection.
        name: The name of the entry.

    Raises:
        PalisadeError: it is not declared, or not made yet.
    """
    mount = session.configuration.vault.mounts.secrets
    prefix = f"{mount}/data/"
    known = [
        resource.path.removeprefix(prefix) for resource in session.declared.resources if resource.kind is Kind.SECRET
    ]
    if name not in known:
        meant = nearest(name, known)
        raise PalisadeError(
            f"There is no secret {name!r}.",
            allowed=", ".join(known),
            remedy=f"did you mean {meant}?" if meant else "declare it in policies/vault/secrets.yaml",
            exit_code=ExitCode.USAGE,
        )
    found = session.vault.read(f"{prefix}{name}")
    data = (found or {}).get("data")
    if not data:
        raise PalisadeError(
            f"The secret {name} is not made yet.",
            where=f"{session.vault.access.address}/v1/{prefix}{name}",
            remedy=f"palisade vault apply {session.environment}",
        )
    return {key: str(value) for key, value in sorted(data.items())}


def apply_secrets(session: Session) -> tuple[Applied, ...]:
    """Write every declared Secret into the cluster by server-side apply; what is right stays as it is.

    Args:
        session: The connection.

    Raises:
        PalisadeError: a secret is not made yet, or the cluster refuses.
    """
    # All values are read before anything is written.
    wanted = [(entry, _values(session, entry)) for entry in _entries(declaration_root(session.project))]
    cluster = session.cluster
    for namespace in dict.fromkeys(entry.namespace for entry, _ in wanted):
        # The stack may not have been built yet; what it declares about the namespace is its own.
        if cluster.read("Namespace", "v1", namespace) is None:
            _apply(
                cluster,
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": dict(OWN_LABELS)}},
            )
    return tuple(_applied(cluster, entry, values) for entry, values in wanted)


def _applied(cluster: Any, entry: _Entry, values: Mapping[str, str]) -> Applied:
    before = cluster.read("Secret", "v1", entry.name, entry.namespace)
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": entry.name, "namespace": entry.namespace},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
    after = _apply(cluster, manifest)
    changed = before is None or before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
    return Applied(entry.namespace, entry.name, tuple(values), changed)


def _apply(cluster: Any, manifest: Mapping[str, Any]) -> dict[str, Any]:
    # The client of Kubernetes takes a second to load: only who has a cluster waits for it.
    from kubernetes.dynamic.exceptions import DynamicApiError  # noqa: PLC0415

    from palisade.verification.cluster import said  # noqa: PLC0415

    metadata = manifest["metadata"]
    try:
        answer = cluster.resource(manifest["kind"]).server_side_apply(
            body=dict(manifest),
            name=metadata["name"],
            namespace=metadata.get("namespace"),
            field_manager=FIELD_MANAGER,
            force_conflicts=True,
        )
    except DynamicApiError as error:
        raise PalisadeError(
            f"The cluster refuses: {said(error)}.",
            where=f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}",
        ) from error
    document: dict[str, Any] = answer.to_dict()
    return document


def _values(session: Session, entry: _Entry) -> dict[str, str]:
    from_vault = show(session, entry.entry) if entry.entry else {}
    values = {key: from_vault[key] for key in entry.keys}
    return {**values, **{key: _certificate(session, which) for key, which in entry.certificates.items()}}


def _certificate(session: Session, which: Certificate) -> str:
    if which is Certificate.ROOT:
        return session.root_certificate()
    if which is Certificate.ISSUER:
        return issuer_authorities(session.configuration, session.root_certificate())
    ca_file = session.vault.access.ca_file
    return ca_file.read_text(encoding="utf-8") if ca_file else ""


def _entries(root: Path) -> Iterator[_Entry]:
    path = root / FILE
    for number, raw in enumerate(read_yaml(path).value):
        try:
            yield _Entry.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(first["msg"], where=f"{path}: [{number}].{where}") from error
