"""Everything that a configuration must not say, each with the failing path and what is allowed instead."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from configuration_samples import REMOVED, SOUND, WriteProject, changed

from palisade.config import load_configuration
from palisade.errors import ConfigurationError, ExitCode

DIGEST = "sha256:" + "0123456789abcdef" * 4
PRIVATE = "within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10"


class Bad(NamedTuple):
    """One value that is refused, and what the error must say."""

    path: str
    value: Any
    allowed: str
    where: str = ""
    """The path that the error names, if it is not the path that was changed."""
    remedy: str = "nothing was touched"


SOURCES = {"repository": "registry.example.com/palisade", "tag": "0.1.0"}
BAD = [
    Bad("exposure", "public", '"internal", "dmz"'),
    Bad("exposure", REMOVED, '"internal", "dmz"'),
    Bad("exposure", value=True, allowed='"internal", "dmz"'),
    Bad("traffic", REMOVED, "a section with the keys peak_rps, average_rps"),
    Bad("traffic", 5000, "a section with the keys peak_rps, average_rps"),
    Bad("traffic.peak_rps", 0, "a whole number of requests per second from 1 to 10,000,000"),
    Bad("traffic.peak_rps", -5, "requests per second from 1"),
    Bad("traffic.peak_rps", 10_000_001, "to 10,000,000"),
    Bad("traffic.peak_rps", "5000", "a whole number"),
    Bad("traffic.peak_rps", 5000.5, "a whole number"),
    Bad("traffic.peak_rps", value=True, allowed="a whole number"),
    Bad("traffic.peak_rps", None, "a whole number"),
    Bad("traffic.peak_rps", REMOVED, "a whole number of requests per second"),
    Bad("traffic.average_rps", 5001, "at most peak_rps, 5,000 requests per second"),
    Bad("traffic.bursts", 9000, "peak_rps, average_rps"),
    Bad("audit.retention_days", 364, "a whole number of days from 365 to 7,300"),
    Bad("audit.retention_days", 7301, "a whole number of days from 365 to 7,300"),
    Bad("audit.record_bytes", 10, "a whole number of bytes from 256 to 65,536"),
    Bad("audit.replicas", 0, "a whole number of copies from 1 to 6"),
    Bad("audit.compression_ratio", 0.5, "a number from 1 (not compressed) to 50"),
    Bad("audit.compression_ratio", float("nan"), "a number from 1"),
    Bad("audit.compression_ratio", "4:1", "a number from 1"),
    Bad("audit.retention_day", 365, "retention_days", remedy="did you mean retention_days?"),
    Bad("tls.minimum_version", "1.1", '"1.2", "1.3"', remedy="use one of them"),
    Bad("tls.minimum_version", 1.2, '"1.2", "1.3"', remedy="in quotes"),
    Bad("tls.certificate_ttl_hours", 25, "a whole number of hours from 1 to 24"),
    Bad("tls.certificate_ttl_hours", 0, "a whole number of hours from 1 to 24"),
    Bad("tls.renew_before_hours", 24, "below certificate_ttl_hours, 24"),
    Bad("tls.certificate_ttl_hours", 8, "below certificate_ttl_hours, 8", where="tls.renew_before_hours"),
    Bad("edge", ["api.palisade.example"], "a section with the keys names, addresses"),
    Bad("edge.names", [], "at least one entry"),
    Bad("edge.names", ["palisade"], "a DNS name of two or more parts", where="edge.names.0"),
    Bad("edge.names", ["*.palisade.example"], "no wildcard", where="edge.names.0"),
    Bad("edge.names", ["API.palisade.example"], "in lower case", where="edge.names.0"),
    Bad("edge.names", ["10.20.0.21"], "a DNS name of two or more parts", where="edge.names.0"),
    Bad("edge.names", [f"{'a' * 60}.example"], "at most 64 characters", where="edge.names.0"),
    Bad("edge.names", ["a.example", "a.example"], "each entry once", where="edge.names.1"),
    Bad("edge.addresses", ["api.palisade.example"], "an IPv4 address such as", where="edge.addresses.0"),
    Bad("edge.addresses", ["10.20.0.9", "10.20.0.9"], "each entry once", where="edge.addresses.1"),
    Bad("networks.fleet", "10.20.0.1/24", f"an IPv4 network {PRIVATE} (host bits zero)"),
    Bad("networks.fleet", "8.8.8.0/24", PRIVATE),
    Bad("networks.fleet", "fd00::/64", "an IPv4 network"),
    Bad("networks.operators", [], "at least one entry"),
    Bad("networks.operators", ["0.0.0.0/0"], PRIVATE, where="networks.operators.0"),
    Bad("networks.clients", "10.0.0.0/8", "a list; each entry: an IPv4 network such as"),
    Bad("networks.clients", ["everyone"], "an IPv4 network such as 203.0.113.0/24", where="networks.clients.0"),
    Bad("networks.pods", "10.244.0.0/25", f"an IPv4 network of /24 or larger {PRIVATE} (host bits zero)"),
    Bad("networks.pods", "10.244.0.1/16", "(host bits zero)"),
    Bad("networks.pods", "8.0.0.0/16", PRIVATE),
    Bad("networks.pods", ["10.244.0.0/16"], "an IPv4 network of /24 or larger"),
    Bad("networks.pods", "10.20.0.0/16", "a private network of its own"),
    Bad("networks.services", "10.20.0.128/24", "an IPv4 network from /12 to /24"),
    Bad("networks.services", "10.0.0.0/11", "an IPv4 network from /12 to /24"),
    Bad("networks.services", "10.96.0.0/25", "an IPv4 network from /12 to /24"),
    Bad("networks.services", "203.0.0.0/16", PRIVATE),
    Bad("networks.services", "10.16.0.0/12", "a private network of its own"),
    Bad("database.allowed_sources", ["203.0.113.0/24"], PRIVATE, where="database.allowed_sources.0"),
    Bad("database.allowed_sources", ["0.0.0.0/0"], PRIVATE, where="database.allowed_sources.0"),
    Bad("database.allowed_sources", ["10.0.0.0/7"], PRIVATE, where="database.allowed_sources.0"),
    Bad("database.allowed_sources", ["127.0.0.0/8"], PRIVATE, where="database.allowed_sources.0"),
    Bad("database.allowed_sources", ["10.21.0.0/24"], "every registry host"),
    Bad(
        "images",
        {"envoy": "registry.example/envoy:1.40.0"},
        "repository:tag@sha256:<64 hexadecimal digits>",
        where="images.envoy",
        remedy="palisade images pin asks",
    ),
    Bad("images", {"envoy": "registry.example:5000/envoy"}, "repository:tag@sha256", where="images.envoy"),
    Bad("images", {"envoy": "registry.example/envoy:latest"}, "never the tag latest", where="images.envoy"),
    Bad("images", {"envoy": f"registry.example/envoy:latest@{DIGEST}"}, "never the tag latest", where="images.envoy"),
    Bad("images", {"envoy": "registry.example/envoy@sha256:12"}, "64 hexadecimal digits", where="images.envoy"),
    Bad("images", {"Envoy": f"registry.example/envoy:1@{DIGEST}"}, "a component name", where="images.Envoy.[key]"),
    *(
        Bad(
            f"audit.sinks.{sink}",
            {"networks": ["10.60.0.0/24"], **values},
            allowed,
            where=f"audit.sinks.{sink}.{where}",
        )
        for sink, values, where, allowed in (
            ("elasticsearch", {}, "hosts", "a list; each entry: the name of a server"),
            ("elasticsearch", {"hosts": []}, "hosts", "at least one entry"),
            ("opensearch", {"hosts": ["https://a.example"]}, "hosts.0", "without https:// and without a port"),
            ("opensearch", {"hosts": ["a.example:9200"]}, "hosts.0", "without https:// and without a port"),
            ("opensearch", {"hosts": ["a.example"], "port": 0}, "port", "a TCP port number"),
            ("opensearch", {"hosts": ["a.example"], "password": "x"}, "password", "networks, port, hosts"),
            ("s3", {"bucket": "Audit", "region": "eu-central-1"}, "bucket", "a bucket name"),
            ("s3", {"bucket": "audit"}, "region", "a region name"),
            ("s3", {"bucket": "audit", "region": "eu-central-1", "prefix": "/a"}, "prefix", "without a slash"),
            ("kafka", {"brokers": ["k.example"], "login": "none"}, "login", '"plain", "sha256", "sha512"'),
            ("kafka", {"brokers": ["k.example"], "topic": "a b"}, "topic", "a topic name"),
            ("splunk", {"host": "it's"}, "host", "the name of a server"),
            ("datadog", {}, "host", "the name of a server"),
            ("syslog", {"host": "siem.example", "transport": "udp"}, "transport", '"tls", "tcp"'),
            ("syslog", {"host": "siem.example", "networks": []}, "networks", "at least one entry"),
            ("syslog", {"host": "siem.example", "networks": ["0.0.0.0/0"]}, "networks.0", "of /8 or smaller"),
        )
    ),
    Bad(
        "audit.sinks",
        {"datadog": {"networks": ["203.0.113.0/24"], "host": "http-intake.logs.datadoghq.eu"}},
        "datadog beside another sink",
        where="audit.sinks.datadog",
        remedy="add a sink that takes every record or blocks, such as s3",
    ),
    Bad("audit.sinks.loki", {}, "elasticsearch, opensearch, s3, kafka", where="audit.sinks.loki"),
    Bad("audit.sinks.private_authority", "Some CA", "the name of an object", where="audit.sinks.private_authority"),
    Bad("image_sources.tag", "0.1.0", "an image registry and a path in it", where="image_sources.repository"),
    *(
        Bad(
            "image_sources",
            {"repository": repository, "tag": "1"},
            "without https://",
            where="image_sources.repository",
        )
        for repository in ("https://registry.example.com/x", "palisade/x", "registry.example.com/X", "a.example/x/", "")
    ),
    *(
        Bad("image_sources", {"repository": "a.example/x", "tag": tag}, "never latest", where="image_sources.tag")
        for tag in ("latest", "", "a b", "1@sha256:00", 1.0)
    ),
    Bad("image_sources", {**SOURCES, "ca_file": "ca.crt"}, "absolute or from", where="image_sources.ca_file"),
    Bad("data_classes", {}, "at least one data class"),
    Bad("data_classes.audit.region", "us-east-1", "eu-central-1", remedy="the owner of the data"),
    Bad("data_classes.audit.region", "Frankfurt!", "a region name"),
    Bad("data_classes.audit.allowed_regions", [], "at least one entry"),
    Bad("registry.minimum_nodes", 0, "a whole number of registry nodes per cluster from 1 to 10"),
    Bad("hosts", [], "at least one host of the group bastion"),
    Bad("hosts.0", REMOVED, "at least one host of the group bastion", where="hosts"),
    Bad("hosts.0.name", "Bastion_1", "lower-case letters, digits and -"),
    Bad("hosts.1.name", "bastion-1", "a different name for each host"),
    Bad("hosts.1.address", "10.20.0.10", "a different address for each host"),
    Bad("hosts.1.address", "10.99.0.21", "an address of a host in 10.20.0.0/24"),
    Bad("hosts.1.address", "10.20.0.255", "an address of a host in 10.20.0.0/24"),
    Bad("hosts.1.address", "10.20.0.256", "an IPv4 address such as"),
    Bad("hosts.1.address", REMOVED, "an IPv4 address such as"),
    Bad("hosts.1.group", "web", '"bastion", "control", "registry", "database", "vault"'),
    Bad("hosts.1.group", "control", "no host of the group control", remedy="bring your own cluster"),
    # Nothing copies from one to the other, and the registry would move between them.
    Bad("hosts.1.group", "database", "one host of the group", where="hosts.2.group", remedy="the registry's data"),
    Bad("hosts.1.ssh_user", "root;id", "lower-case letters, digits, _ and -"),
    Bad("hosts.1.logins", ["Alice"], "lower-case letters, digits, _ and -", where="hosts.1.logins.0"),
    Bad("hosts.1.logins", ["root"], "a login of a person, each once", where="hosts.1.logins.0"),
    Bad("hosts.1.logins", ["palisade"], "a login of a person, each once", where="hosts.1.logins.0"),
    Bad("hosts.1.logins", ["alice", "bob", "alice"], "a login of a person, each once", where="hosts.1.logins.2"),
    # The firewall of every host and the bastion know port 22 only.
    Bad("hosts.1.ssh_port", 2222, "name, group, address, ssh_user", remedy="did you mean ssh_user?"),
    Bad("hosts.1.password", "hunter2", "name, group, address, ssh_user"),
    Bad("local", {}, "no section local", remedy="in a file of its own"),
    Bad("expsoure", "dmz", "exposure", remedy="did you mean exposure?"),
    Bad("environment", "prod", "local, exposure, traffic"),
]


def _name(bad: Bad) -> str:
    return f"{bad.path}={'(missing)' if bad.value is REMOVED else bad.value}"


@pytest.mark.parametrize("bad", BAD, ids=map(_name, BAD))
def test_a_bad_value_is_refused_with_its_path_and_what_is_allowed(bad: Bad, write_project: WriteProject) -> None:
    project = write_project(changed((bad.path, bad.value)))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(project, "dev")
    error = refused.value
    assert error.exit_code is ExitCode.CONFIGURATION
    assert (error.where or "").startswith(f"Pulumi.dev.yaml: fleet.{bad.where or bad.path} (line ")
    assert bad.allowed in (error.allowed or "")
    assert bad.remedy in (error.remedy or "")
    if bad.value is not REMOVED and not isinstance(bad.value, (dict, list)) and "key" not in error.problem:
        assert str(bad.value).lower() in error.problem.lower()


def test_there_are_enough_of_them() -> None:
    assert len({_name(bad) for bad in BAD}) == len(BAD) > 40


def test_the_configuration_that_they_change_is_sound(write_project: WriteProject) -> None:
    assert load_configuration(write_project(SOUND), "dev").traffic.peak_rps == 5000


@pytest.mark.parametrize("document", [None, [], "dmz", 7])
def test_a_configuration_that_is_no_section_is_refused(document: object, write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError, match=r"allowed: a section with the keys .*exposure, traffic"):
        load_configuration(write_project(document), "dev")


def test_an_internal_fleet_refuses_clients_outside(write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(changed(("exposure", "internal"))), "dev")
    assert "networks.clients.1" in (refused.value.where or "")
    assert "203.0.113.0/24 is not private" in refused.value.problem
    assert "exposure: dmz" in (refused.value.remedy or "")


CLUSTER = (
    ("local", {}),
    ("networks.pods", "10.244.0.0/23"),
    ("networks.services", "10.96.0.0/16"),
    ("hosts.2.group", "control"),
)
"""What makes the sound configuration a local fleet with a cluster."""
MANY_NODES = [
    {"name": f"registry-{number}", "group": "registry", "address": f"10.20.0.{number}"} for number in range(60, 63)
]


@pytest.mark.parametrize(
    ("changes", "where", "problem", "allowed"),
    [
        (
            [("networks.services", "10.245.0.0/16"), ("networks.pods", "10.244.0.0/15")],
            "networks.services",
            "10.245.0.0/16 overlaps networks.pods, 10.244.0.0/15.",
            "a private network of its own",
        ),
        (
            [("networks.pods", REMOVED)],
            "hosts.2.group",
            "db-1 is a control host, and there is no networks.pods.",
            "networks.pods and networks.services, for a cluster",
        ),
        (
            [("networks.pods", REMOVED), ("networks.services", REMOVED)],
            "hosts.2.group",
            "db-1 is a control host, and there is no networks.pods and no networks.services.",
            "networks.pods and networks.services, for a cluster",
        ),
        (
            [("hosts.1.group", "control")],
            "hosts.2.group",
            "registry-1 is the control host already.",
            "one host of the group control",
        ),
        (
            [("hosts", [*changed(*CLUSTER)["hosts"], *MANY_NODES])],
            "hosts",
            "networks.pods, 10.244.0.0/23, is too small for 4 registry hosts.",
            "at most 2 hosts of the group registry: each needs a /24 of networks.pods",
        ),
    ],
)
def test_a_local_cluster_has_one_control_host_and_networks_of_its_own(
    changes: list[tuple[str, Any]], where: str, problem: str, allowed: str, write_project: WriteProject
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(changed(*CLUSTER, *changes), environment="test"), "test")
    assert f"fleet.{where} (line " in (refused.value.where or "")
    assert (refused.value.problem, refused.value.allowed) == (problem, allowed)


def test_a_sound_local_cluster_is_accepted(write_project: WriteProject) -> None:
    configuration = load_configuration(write_project(changed(*CLUSTER), environment="test"), "test")
    assert (str(configuration.networks.pods), str(configuration.networks.services)) == ("10.244.0.0/23", "10.96.0.0/16")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_permanent_environments_are_never_local(environment: str, write_project: WriteProject) -> None:
    project = write_project(changed(("local", {})), environment=environment)
    with pytest.raises(ConfigurationError, match=f"{environment} cannot be a local fleet"):
        load_configuration(project, environment)


def test_all_problems_are_reported_at_once_in_the_order_of_the_model(write_project: WriteProject) -> None:
    project = write_project(
        changed(
            ("audit.retention_days", 30),
            ("exposure", "public"),
            ("images", {"envoy": "envoy:1", "opa": "opa:1"}),
            ("tls.renew_before_hours", 24),
            ("hosts.1.address", "10.99.0.1"),
            ("hosts.2.name", "registry-1"),
            ("data_classes.audit.region", "us-east-1"),
        )
    )
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(project, "dev")
    problem = refused.value.problem
    expected = [
        "8 values are refused",
        "1. fleet.exposure (line ",
        "2. fleet.audit.retention_days (line ",
        "3. fleet.tls.renew_before_hours (line ",
        "4. fleet.hosts.2.name (line ",
        "5. fleet.hosts.1.address (line ",
        "6. fleet.images.envoy (line ",
        "7. fleet.images.opa (line ",
        "8. fleet.data_classes.audit.region (line ",
    ]
    positions = [problem.find(text) for text in expected]
    assert -1 not in positions, problem
    assert positions == sorted(positions)
    assert refused.value.where == "Pulumi.dev.yaml"


def test_a_missing_peak_is_one_problem_although_the_average_would_follow_from_it(write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(changed(("traffic", {}))), "dev")
    assert refused.value.problem == "This key is missing."
