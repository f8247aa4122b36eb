"""Where the verification meets the edge as its clients do."""

from __future__ import annotations

from typing import Any

import pytest

from palisade.verification import edge
from palisade.verification.readings import ReadingFailedError

GIVEN = {"loadBalancer": {"ingress": [{"ip": "10.20.0.100"}]}}


class Found:
    """A cluster with a Service of the registry, and a certificate with these names."""

    def __init__(self, spec: dict[str, Any], status: dict[str, Any], names: list[str]) -> None:
        self._service = {"metadata": {"name": "registry"}, "spec": spec, "status": status}
        self._certificate = {"spec": {"dnsNames": names}} if names else None

    def objects(self, kind: str, _version: str, *, namespace: str) -> list[dict[str, Any]]:
        assert (kind, namespace) == ("Service", "palisade-registry")
        return [self._service]

    def read(self, kind: str, _version: str, name: str, namespace: str) -> dict[str, Any] | None:
        assert (kind, name, namespace) == ("Certificate", "edge", "palisade-registry")
        return self._certificate


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({"externalIPs": ["10.77.0.22", "10.77.0.21"]}, {}, ("10.77.0.21", "10.77.0.22")),
        ({}, GIVEN, ("10.20.0.100",)),
        ({}, {"loadBalancer": {}}, ("api.example.com",)),
    ],
    ids=["of the hosts", "given by the cluster", "known to nobody"],
)
def test_the_edge_is_where_its_service_says_or_at_its_name(spec: Any, status: Any, expected: tuple[str, ...]) -> None:
    found: Any = Found(spec, status, ["api.example.com", "other.example.com"])
    assert edge.addresses(found) == expected


def test_an_edge_without_address_and_name_is_not_found() -> None:
    found: Any = Found({}, {}, [])
    with pytest.raises(ReadingFailedError, match="no address at which clients reach it, and no name"):
        edge.addresses(found)
