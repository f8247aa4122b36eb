"""Fluentd in the graph: on every node, with what it may read, and the only way to the sinks."""

from __future__ import annotations

import json
import runpy
from functools import cache
from typing import Any

import pytest
import yaml
from stacks_program import PROJECT_ROOT, graph_of, of_kind, run_program, shipped_fleet

from palisade.config import parse_configuration
from palisade.controls import load_controls
from palisade.policies.pack import refusals
from palisade.policies.rules import load_rules
from palisade.policies.settings import policy_settings
from palisade.rendering.graph import Graph
from palisade.verification.cluster_access import ClusterAccess
from palisade.verification.network_policies import flow_of, flows_of
from tests.pins import pins

SINKS = {
    "opensearch": {"networks": ["10.60.0.0/24", "10.61.0.0/24"], "hosts": ["search.example.com"]},
    "s3": {"networks": ["203.0.113.0/24"], "bucket": "audit-example", "region": "eu-central-1"},
    "syslog": {"networks": ["10.62.0.9/32"], "host": "siem.example.com"},
}


def with_sinks(environment: str, **more: Any) -> Any:
    fleet = shipped_fleet(environment)
    fleet = {**fleet, "audit": {**fleet["audit"], "sinks": {**SINKS, **more}}}
    fleet["cluster"] = {**fleet["cluster"], "control_plane": "nodes"}
    return {**fleet, "images": pins(environment, fleet)}


@cache
def graph() -> Graph:
    return run_program("prod", with_sinks("prod"))


def pod(name: str, found: Graph | None = None) -> Any:
    return of_kind(found or graph(), "DaemonSet")[name].inputs["spec"]["template"]["spec"]


def test_without_a_sink_nothing_collects() -> None:
    for environment in ("dev", "staging", "prod", "local"):
        assert not of_kind(graph_of(environment), "DaemonSet"), environment


def test_a_local_fleet_has_no_image_of_it() -> None:
    assert not of_kind(run_program("local", with_sinks("local")), "DaemonSet")


def test_every_node_has_one_of_the_two() -> None:
    assert set(of_kind(graph(), "DaemonSet")) == {"fluentd", "fluentd-control"}
    control, others = pod("fluentd-control"), pod("fluentd")
    assert control["nodeSelector"] == {"node-role.kubernetes.io/control-plane": ""}
    required = others["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}]
    for spec in (control, others):
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert spec["priorityClassName"] == "palisade-agents"


def test_a_managed_control_plane_has_no_node_to_collect_on() -> None:
    fleet = with_sinks("prod")
    managed = run_program("prod", {**fleet, "cluster": {**fleet["cluster"], "control_plane": "managed"}})
    assert set(of_kind(managed, "DaemonSet")) == {"fluentd"}
    assert pod("fluentd", managed) == pod("fluentd")


def test_it_reads_logs_and_writes_its_own_directory_of_the_node() -> None:
    logs = {("/var/log/pods", True), ("/var/log/containers", True)}
    own = {("/var/lib/palisade/agents", False)}
    assert host_paths("fluentd") == logs | own
    assert host_paths("fluentd-control") == logs | own | {("/var/log/kubernetes", True)}


def host_paths(daemon: str) -> set[tuple[str, bool]]:
    spec = pod(daemon)
    (container,) = spec["containers"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert all(mounts[name]["mountPath"] == path for name, path in paths.items())
    return {(path, mounts[name].get("readOnly", False)) for name, path in paths.items()}


@pytest.mark.parametrize("daemon", ["fluentd", "fluentd-control"])
def test_it_has_no_rights_but_to_read_what_root_may_read(daemon: str) -> None:
    (container,) = pod(daemon)["containers"]
    context = container["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
    assert container["image"].startswith("registry.example.com/palisade/fluentd:0.1.0@sha256:")


def test_the_rules_of_the_fleet_refuse_nothing_of_it() -> None:
    settings = policy_settings(parse_configuration(with_sinks("prod"), environment="prod", file="a test"))
    for rule in load_rules().values():
        for resource in graph().objects:
            assert not list(refusals(rule, resource.type, resource.inputs, settings)), (rule.id, resource.name)


def test_secrets_are_named_and_nowhere_in_the_configuration() -> None:
    (container,) = pod("fluentd")["containers"]
    secrets = {
        each["name"]: tuple(each["valueFrom"]["secretKeyRef"][key] for key in ("name", "key"))
        for each in container["env"]
        if "secretKeyRef" in each["valueFrom"]
    }
    assert secrets == {
        "OPENSEARCH_USER": ("audit-opensearch", "user"),
        "OPENSEARCH_PASSWORD": ("audit-opensearch", "password"),
        "S3_KEY_ID": ("audit-s3", "key_id"),
        "S3_KEY": ("audit-s3", "key"),
    }
    text = of_kind(graph(), "ConfigMap")["fluentd"].inputs["data"]["fluent.conf"]
    assert all(f"ENV.fetch('{name}')" in text for name in secrets)


def test_only_fluentd_may_reach_a_sink_at_its_port() -> None:
    policies = of_kind(graph(), "NetworkPolicy")
    out: dict[tuple[str, int], set[str]] = {}
    for policy in policies.values():
        for rule in policy.inputs["spec"].get("egress", ()):
            for block in (each["ipBlock"]["cidr"] for each in rule["to"] if "ipBlock" in each):
                for port in rule["ports"]:
                    who = yaml.safe_dump([policy.inputs["metadata"]["namespace"], policy.inputs["spec"]["podSelector"]])
                    out.setdefault((block, port["port"]), set()).add(who)
    fluentd = yaml.safe_dump(["palisade-agents", {"matchLabels": {"app.kubernetes.io/name": "fluentd"}}])
    sinks = {("10.60.0.0/24", 9200), ("10.61.0.0/24", 9200), ("203.0.113.0/24", 443), ("10.62.0.9/32", 6514)}
    assert {peer for peer, who in out.items() if fluentd in who} >= sinks
    assert all(out[sink] == {fluentd} for sink in sinks)
    labels = of_kind(graph(), "DaemonSet")["fluentd"].inputs["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "fluentd"


def test_what_the_control_expects_is_what_is_declared() -> None:
    """The rows of the control, made into flows as the check does it, are the flows of the declared policies."""
    (control,) = (each for each in load_controls(PROJECT_ROOT).controls if "flows" in each.expected)
    cluster = parse_configuration(with_sinks("prod"), environment="prod", file="a test").cluster
    assert cluster is not None
    access = ClusterAccess(
        None,
        "here",
        networks={"api_servers": tuple(f"{address}/32" for address in cluster.api_server.addresses)},
        ports={"api_server": (cluster.api_server.port,)},
        sinks={
            "opensearch": (("10.60.0.0/24", "10.61.0.0/24"), 9200),
            "s3": (("203.0.113.0/24",), 443),
            "syslog": (("10.62.0.9/32",), 6514),
        },
    )
    rows = runpy.run_path(str(PROJECT_ROOT / "tests/verify/test_cluster_objects.py"))["_rows_of"]
    expected = rows(access, control.expected["flows"]["palisade-agents"])
    declared = [
        flow
        for policy in of_kind(graph(), "NetworkPolicy").values()
        if policy.inputs["metadata"]["namespace"] == "palisade-agents"
        for flow in flows_of(json.loads(json.dumps(policy.inputs).replace(".0,", ",").replace(".0}", "}")))
    ]
    assert sorted(flow_of(row, access.networks, access.ports) for row in expected) == sorted(declared)


def test_it_may_read_pods_and_namespaces_and_nothing_else() -> None:
    (role,) = (each for name, each in of_kind(graph(), "ClusterRole").items() if name == "palisade-fluentd")
    assert role.inputs["rules"] == [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list", "watch"]}
    ]


def test_another_configuration_is_another_pod() -> None:
    other = run_program("prod", with_sinks("prod", syslog={**SINKS["syslog"], "port": 6515}))
    annotations = [
        of_kind(each, "DaemonSet")["fluentd"].inputs["spec"]["template"]["metadata"]["annotations"]
        for each in (graph(), other)
    ]
    assert annotations[0] != annotations[1]


def test_it_fits_into_what_a_registry_node_keeps_free() -> None:
    (container,) = pod("fluentd")["containers"]
    free = parse_configuration(with_sinks("prod"), environment="prod", file="a test").cluster
    assert free is not None
    asked = container["resources"]["requests"]
    assert int(asked["cpu"].removesuffix("m")) < free.daemonsets.millicpu
    assert int(asked["memory"].removesuffix("Mi")) < free.daemonsets.memory_mib


def test_a_private_authority_is_mounted_where_every_sink_looks_for_it() -> None:
    bucket = {**SINKS["s3"], "endpoint": "objects.example.com"}
    found = run_program("prod", with_sinks("prod", s3=bucket, private_authority="audit-authority"))
    spec = pod("fluentd", found)
    (container,) = spec["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "authority")
    text = of_kind(found, "ConfigMap")["fluentd"].inputs["data"]["fluent.conf"]
    assert text.count(f"'{mount['mountPath']}/ca.crt'") == 4  # OpenSearch for audit records and for logs, S3, syslog
    (volume,) = (each for each in spec["volumes"] if each["name"] == "authority")
    assert volume["configMap"]["name"] == "audit-authority"
