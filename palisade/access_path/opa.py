"""OPA's files and how it is started: the same in the registry pod and on systemd hosts.

Two policies are files beside the configuration and no part of the bundle, so that they hold while there is no bundle:
what a decision log may hold, and that OPA's own HTTP interface answers to nothing but questions about its health.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palisade.bundle.archive import KEY_NAME
from palisade.templates import text_environment

PROGRAM = "opa-envoy-plugin"
"""OPA with Envoy's external authorisation; it has every command of ``opa``."""
CONFIGURATION = "opa.yaml"
OWN_POLICIES = {"log.rego": "system/log/log.rego", "authz.rego": "system/authz/authz.rego"}
"""The policies beside the configuration, each with its place in ``policies/opa``."""
HEALTH_ADDRESS = "127.0.0.1:8282"
BUNDLE_URL = "http://127.0.0.1:8283"
"""Where Envoy gives the bundle to OPA. Nobody has to trust that way: the bundle is signed."""
BUNDLE_NAME = "bundle.tar.gz"
ENVIRONMENT = {"GOGC": "800", "GOMEMLIMIT": "256MiB"}
"""Less collecting saves a sixth of OPA's processor time; from 256 MiB on it collects whatever GOGC says."""
_POLICIES = Path(__file__).resolve().parents[2] / "policies/opa"


@dataclass(frozen=True)
class OpaSettings:
    """What differs between environments and places.

    Args:
        environment: The environment; a bundle of another one is refused.
        verification_key: The public key that checks bundles, as PEM.
    """

    environment: str
    verification_key: str
    bundle_url: str = BUNDLE_URL
    socket: str = "/run/opa/grpc.sock"
    persistence_directory: str = "/var/lib/opa"
    polling_seconds: tuple[int, int] = (20, 30)
    """How long OPA waits between two looks at the bundle, at least and at most."""
    decision_log: bool = False
    """Whether OPA logs each decision; Envoy records them all."""


def render_opa(settings: OpaSettings) -> Mapping[str, str]:
    """OPA's files by name; they lie in one directory."""
    template = text_environment("opa").get_template(f"{CONFIGURATION}.j2")
    configuration = template.render(
        opa_environment=settings.environment,
        opa_verification_key=settings.verification_key,
        opa_key_name=KEY_NAME,
        opa_bundle_url=settings.bundle_url,
        opa_bundle_name=BUNDLE_NAME,
        opa_socket=settings.socket,
        opa_persistence_directory=settings.persistence_directory,
        opa_polling_seconds=settings.polling_seconds,
        opa_decision_log=settings.decision_log,
    )
    own = {name: (_POLICIES / place).read_text(encoding="utf-8") for name, place in OWN_POLICIES.items()}
    return {CONFIGURATION: configuration, **own}


def opa_arguments(directory: str, *, health_address: str = HEALTH_ADDRESS) -> tuple[str, ...]:
    """What :data:`PROGRAM` is started with.

    Args:
        directory: Where its files are.
        health_address: Where it answers about its health, and to nothing else.
    """
    return (
        "run",
        "--server",
        "--disable-telemetry",
        "--authorization=basic",
        f"--addr={health_address}",
        f"--config-file={directory}/{CONFIGURATION}",
        "--log-level=error",
        "--log-format=json",
        "--optimize-store-for-read-speed",
        *(f"{directory}/{name}" for name in OWN_POLICIES),
    )
