"""The value types of the fleet configuration: each says in words, with units, what it allows."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from palisade.fleet import POD_SUBNET_PREFIX, HostGroup
from palisade.validation import Allowed, Problem, RefusedError, whole_number

_HIGHEST_PORT = 65_535
_LARGEST_SERVICE_NETWORK = 12
"""The prefix of the largest network that an API server accepts (kube-apiserver v1.36, validateClusterIPFlags)."""
_SMALLEST_SERVICE_NETWORK = 24
"""The prefix of a network that holds the services of this platform several times over."""
_WIDEST_OF_SERVERS = 8
"""The prefix of the largest network that a way out may lead to: a way to everybody is none that somebody meant."""
_LONGEST_COMMON_NAME = 64
"""RFC 5280, ub-common-name: the first name of a certificate is its common name too."""
MAXIMUM_RPS = 10_000_000
"""200 full clusters; beyond it a plan would be arithmetic, not advice."""

PRIVATE_RANGES = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
"""RFC 1918 and RFC 6598. Python's ``is_private`` is wider (loopback, documentation, link-local)."""


class Exposure(StrEnum):
    """From where clients reach the registry."""

    INTERNAL = "internal"
    """Only from private networks."""
    DMZ = "dmz"
    """Also from networks that are not private."""


class TlsVersion(StrEnum):
    """The lowest TLS version that the edge accepts."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


def is_private(network: IPv4Network) -> bool:
    """Whether the whole network lies in one private range (:data:`PRIVATE_RANGES`)."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)


def matches(pattern: str, words: str, remedy: str = "") -> Allowed:
    """A text that matches a pattern as a whole; ``words`` say in an error what would be allowed."""
    return Allowed(words, test=lambda text: re.fullmatch(pattern, str(text)) is not None, remedy=remedy)


def _one_of(choices: type[StrEnum], remedy: str = "") -> Allowed:
    return Allowed(", ".join(f'"{choice}"' for choice in choices), types=(str, choices), remedy=remedy)


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise RefusedError(Problem((), "The list is empty.", "at least one entry"))
    return values


def _exact_decimal(value: Any) -> Any:
    # 6.1 in a file means 6.1, not the nearest binary fraction.
    return Decimal(str(value)) if type(value) in (int, float) else value


ExposureChoice = Annotated[Exposure, _one_of(Exposure)]
TlsVersionChoice = Annotated[TlsVersion, _one_of(TlsVersion, remedy="use one of them, in quotes")]
HostGroupChoice = Annotated[HostGroup, _one_of(HostGroup)]

RequestsPerSecond = Annotated[int, whole_number(1, MAXIMUM_RPS, "requests per second")]
RecordBytes = Annotated[int, whole_number(256, 65_536, "bytes")]
RetentionDays = Annotated[int, whole_number(365, 7_300, "days")]
Replicas = Annotated[int, whole_number(1, 6, "copies")]
CompressionRatio = Annotated[
    Decimal,
    Allowed(
        "a number from 1 (not compressed) to 50",
        types=(Decimal,),
        test=lambda ratio: 1 <= ratio <= 50,  # noqa: PLR2004 - said in words on the line above
        unit="to 1",
    ),
    BeforeValidator(_exact_decimal),
]
CertificateHours = Annotated[int, whole_number(1, 24, "hours")]
MinimumNodes = Annotated[int, whole_number(1, 10, "registry nodes per cluster")]
MemoryMebibytes = Annotated[int, whole_number(256, 1_048_576, "MiB")]
DiskGibibytes = Annotated[int, whole_number(1, 10_240, "GiB")]
PodMillicpu = Annotated[int, whole_number(10, 4_000, "thousandths of a vCPU")]
PodMebibytes = Annotated[int, whole_number(32, 16_384, "MiB")]
Port = Annotated[
    int, Allowed("a TCP port number from 1 to 65,535", types=(int,), test=lambda port: 1 <= port <= _HIGHEST_PORT)
]

_DNS_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DnsName = Annotated[
    str,
    Allowed(
        "a DNS name of two or more parts such as api.example.com, in lower case, at most 64 characters, no wildcard",
        test=lambda name: (
            re.fullmatch(rf"(?:{_DNS_LABEL}\.)+(?!\d+$){_DNS_LABEL}", str(name)) is not None
            and len(str(name)) <= _LONGEST_COMMON_NAME
        ),
    ),
]
HostName = Annotated[
    str, matches(r"[a-z][a-z0-9-]{0,62}", "lower-case letters, digits and -, at most 63, a letter first")
]
UserName = Annotated[
    str, matches(r"[a-z_][a-z0-9_-]{0,31}", "lower-case letters, digits, _ and -, at most 32, a letter or _ first")
]
RegionName = Annotated[
    str, matches(r"[a-z][a-z0-9-]{1,30}", "a region name: lower-case letters, digits and -, 2 to 31, a letter first")
]
DataClassName = Annotated[
    str, matches(r"[a-z][a-z_]{1,30}", "a data class name: lower-case letters and _, 2 to 31, a letter first")
]
ImageName = Annotated[str, matches(r"[a-z][a-z0-9-]{0,62}", "a component name: lower-case letters, digits and -")]
_TAG = "(?!latest(?:@|$))[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = "@sha256:[0-9a-f]{64}"
ImageReference = Annotated[
    str,
    matches(
        rf"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*(?::{_TAG}(?:{_DIGEST})?|{_DIGEST})",
        "repository:tag@sha256:<64 hexadecimal digits>; in a local fleet also repository:tag; never the tag latest",
    ),
]

Address = Annotated[IPv4Address, Allowed("an IPv4 address such as 10.20.0.11", types=(str, IPv4Address))]
Network = Annotated[
    IPv4Network, Allowed("an IPv4 network such as 203.0.113.0/24 (host bits zero)", types=(str, IPv4Network))
]
ServerNetwork = Annotated[
    IPv4Network,
    Allowed(
        f"an IPv4 network of /{_WIDEST_OF_SERVERS} or smaller such as 10.60.0.0/24 (host bits zero)",
        types=(str, IPv4Network),
        test=lambda network: network.prefixlen >= _WIDEST_OF_SERVERS,
    ),
]
PrivateNetwork = Annotated[
    IPv4Network,
    Allowed(
        f"an IPv4 network within {', '.join(map(str, PRIVATE_RANGES))} (host bits zero)",
        types=(str, IPv4Network),
        test=is_private,
    ),
]
PodNetwork = Annotated[
    IPv4Network,
    Allowed(
        f"an IPv4 network of /{POD_SUBNET_PREFIX} or larger within {', '.join(map(str, PRIVATE_RANGES))} "
        "(host bits zero)",
        types=(str, IPv4Network),
        test=lambda network: is_private(network) and network.prefixlen <= POD_SUBNET_PREFIX,
    ),
]
ServiceNetwork = Annotated[
    IPv4Network,
    Allowed(
        f"an IPv4 network from /{_LARGEST_SERVICE_NETWORK} to /{_SMALLEST_SERVICE_NETWORK} "
        f"within {', '.join(map(str, PRIVATE_RANGES))} (host bits zero)",
        types=(str, IPv4Network),
        test=lambda network: (
            is_private(network) and _LARGEST_SERVICE_NETWORK <= network.prefixlen <= _SMALLEST_SERVICE_NETWORK
        ),
    ),
]
Networks = Annotated[tuple[Network, ...], AfterValidator(_not_empty)]
PrivateNetworks = Annotated[tuple[PrivateNetwork, ...], AfterValidator(_not_empty)]
DnsNames = Annotated[tuple[DnsName, ...], AfterValidator(_not_empty)]
Regions = Annotated[tuple[RegionName, ...], AfterValidator(_not_empty)]
