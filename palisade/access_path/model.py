"""What the files of Envoy are made from: the configuration of a fleet, its APIs, and where things are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from palisade.config import FleetConfiguration
from palisade.config_access import Access, Tokens, host_of, port_of
from palisade.config_values import TlsVersion
from palisade.config_vault import PORT as VAULT_PORT
from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup
from palisade.registry.model import Api, Apis, LifecycleState, exactness

READER_ROLE = "registry_reader"
"""Who has it may read what the registry holds, through 8443."""
ADMINISTRATOR_ROLE = "registry_admin"
"""Who has it may also change it."""
_ISSUER_PATH = "/v1/identity/oidc"
_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Places:
    """Where Envoy finds its files."""

    configuration: str
    """The directory of the rendered files."""
    certificates: str
    """The directory with ``tls.crt`` and ``tls.key`` of the edge; a file that is replaced there is served at once."""
    authority: str
    """The directory with ``issuer.crt``: who may have signed the certificate of the token issuer."""
    policy_socket: str = "/run/opa/grpc.sock"
    """The unix socket on which OPA decides."""
    bundle: str = "/etc/opa-bundle"
    """The directory with OPA's bundle, which Envoy gives to OPA."""


POD = Places("/etc/envoy", "/etc/palisade/certificates", "/etc/palisade/authority")
HOST = Places(
    "/etc/palisade/envoy",
    "/etc/palisade/certificates/edge",
    "/etc/palisade/authority",
    bundle="/etc/palisade/opa-bundle",
)


@dataclass(frozen=True)
class Endpoint:
    """A host or address, and a TCP port."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether there is nothing to resolve."""
        try:
            IPv4Address(self.host)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Ports:
    """Where Envoy listens; one set of them for each network namespace."""

    address: str = "0.0.0.0"  # noqa: S104 - the edge is there to be reached; the firewall says by whom
    apis: int = 443
    management: int = 8443
    health: int = 8081
    admin: int = 9901
    bundle: int = 8283
    health_address: str = "0.0.0.0"  # noqa: S104 - the kubelet comes from outside the pod
    """Where it answers about its health."""


HOST_PORTS = Ports(health_address="127.0.0.1")
"""On a host with systemd nobody asks from elsewhere."""


@dataclass(frozen=True)
class Neighbours:
    """What runs beside Envoy, on loopback."""

    registry: Endpoint = Endpoint("127.0.0.1", 8080)
    registry_health: Endpoint = Endpoint("127.0.0.1", 9000)
    registry_health_path: str = "/health/started"
    """Neither its liveness nor its readiness: both fail while the database is away, and without the database only 8443
    is of no use. A pod that was taken out for that would take the APIs on 443 with it."""
    policy_health: Endpoint = Endpoint("127.0.0.1", 8282)
    policy_health_path: str = "/health?plugins&bundles"


@dataclass(frozen=True)
class Route:
    """One operation of an API, as Envoy matches it."""

    api: str
    method: str
    template: str
    """The path with its parameters; it names the route in the record."""
    place: str
    """The path with ``{}`` for each parameter; the policy is told it, and refuses what it has not decided on."""
    cluster: str
    """The service behind it; empty for an API that is gone."""

    @property
    def is_fixed(self) -> bool:
        """Whether the path has no parameter."""
        return _PARAMETER.search(self.template) is None

    @property
    def pattern(self) -> str:
        """The path as a regular expression (RE2); a parameter is exactly one segment."""
        fixed = _PARAMETER.split(self.template)
        return "[^/]+".join(re.sub(r"([.])", r"\\\1", part) for part in fixed)


@dataclass(frozen=True)
class AccessPath:
    """Everything that decides what the files say."""

    environment: str
    minimum_tls: TlsVersion
    tokens: Tokens
    access: Access
    apis: Apis
    places: Places = POD
    ports: Ports = field(default_factory=Ports)
    neighbours: Neighbours = field(default_factory=Neighbours)

    @property
    def issuer(self) -> Endpoint:
        """Where the keys of the issuer are asked for."""
        return Endpoint(host_of(self.tokens.jwks_uri), port_of(self.tokens.jwks_uri))

    @property
    def routes(self) -> tuple[Route, ...]:
        """All operations, fixed paths first: the first one that fits a path is the one that the policy decides by."""
        found = [route for api in self.apis.apis for route in _routes(api)]
        return tuple(sorted(found, key=_order))

    @property
    def upstreams(self) -> dict[str, Endpoint]:
        """The services behind the APIs by the names of their clusters, sorted; each once."""
        served = [api for api in self.apis.apis if api.state is not LifecycleState.DISABLED]
        found = {_cluster(api): Endpoint(api.upstream.host, api.upstream.port) for api in served}
        return dict(sorted(found.items()))


def access_path(configuration: FleetConfiguration, apis: Apis, places: Places = POD) -> AccessPath:
    """The access path of an environment.

    Args:
        configuration: The environment.
        apis: What is registered.
        places: Where Envoy finds its files: :data:`POD` or :data:`HOST`, which also says where it listens.

    Raises:
        ConfigurationError: nothing says whose tokens count.
    """
    return AccessPath(
        environment=configuration.environment,
        minimum_tls=configuration.tls.minimum_version,
        tokens=tokens_of(configuration),
        access=configuration.access,
        apis=apis,
        places=places,
        ports=HOST_PORTS if places == HOST else Ports(),
    )


def tokens_of(configuration: FleetConfiguration) -> Tokens:
    """Whose tokens count: what the configuration says, else the OIDC provider of the fleet's first Vault host.

    Raises:
        ConfigurationError: there is neither.
    """
    if configuration.tokens is not None:
        return configuration.tokens
    vault = next((host for host in configuration.hosts if host.group is HostGroup.VAULT), None)
    if vault is None:
        raise ConfigurationError(
            "Nothing says whose tokens the edge accepts.",
            where=f"Pulumi.{configuration.environment}.yaml: fleet.tokens",
            allowed="a section tokens with issuer and jwks_uri, or a host of the group vault",
            remedy="name the OpenID Connect issuer of your users there; nothing was touched",
        )
    issuer = f"https://{vault.address}:{VAULT_PORT}{_ISSUER_PATH}"
    return Tokens(issuer=issuer, jwks_uri=f"{issuer}/.well-known/keys")


def _order(route: Route) -> tuple[bool, tuple[bool, ...], str, str]:
    return (not route.is_fixed, exactness(route.template), route.template, route.method)


def _routes(api: Api) -> Iterator[Route]:
    cluster = "" if api.state is LifecycleState.DISABLED else _cluster(api)
    for operation in api.operations:
        yield Route(f"{api.name} {api.version}", operation.method.value, operation.path, operation.place[1], cluster)


def _cluster(api: Api) -> str:
    return f"api:{api.upstream.host}:{api.upstream.port}"
