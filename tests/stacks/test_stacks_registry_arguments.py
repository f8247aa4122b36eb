"""The registry of each environment that is shipped: from its configuration, its APIs and its policy bundle."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from kubernetes.utils.quantity import parse_quantity
from pulumi_kubernetes.core.v1 import Namespace
from stacks_program import PROJECT_ROOT, of_kind, shipped_fleet, with_load

from palisade.bundle.build import KEY_FILE, bundle_file
from palisade.commands import registry as command
from palisade.config import FleetConfiguration, parse_configuration
from palisade.errors import ConfigurationError
from palisade.registry import publication
from palisade.registry.model import Apis, LifecycleState, apis_file
from palisade.registry.openapi import read_description
from palisade.rendering import graph
from palisade.rendering.graph import Graph
from stacks.registry import Registry
from stacks.registry_arguments import pods_of, registry_arguments, upstream_arguments
from stacks.upstream import Upstream

ENVIRONMENTS = ["dev", "local", "prod", "staging"]
KEY = "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(tmp_path, monkeypatch)


def write_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program reads of the state of a user: bundles, keys and images of every environment."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for environment in ENVIRONMENTS:
        bundle_file(environment).parent.mkdir(parents=True)
        bundle_file(environment).write_bytes(b"a bundle")
        bundle_file(environment).with_name(KEY_FILE).write_text(KEY, encoding="ascii")
    for image in ("envoy", "opa", "apicurio-registry", "upstream"):
        index = bundle_file("local").parent / "images" / image / "index.json"
        index.parent.mkdir(parents=True)
        index.write_text(json.dumps({"manifests": [{"digest": f"sha256:{'7' * 64}"}]}), encoding="utf-8")


def configuration_of(environment: str, fleet: Any = None) -> FleetConfiguration:
    return parse_configuration(fleet or shipped_fleet(environment), environment=environment, file="a file")


def declared(environment: str, fleet: Any = None) -> Graph:
    configuration = configuration_of(environment, fleet)
    assert configuration.cluster is not None
    args = registry_arguments(configuration, configuration.cluster)

    def program() -> None:
        namespaces = {"palisade-registry": Namespace("palisade-registry")}
        Registry("registry", args, pulumi.ResourceOptions(), namespace=namespaces["palisade-registry"])
        upstream = upstream_arguments(configuration, namespaces)
        if upstream is not None:
            Upstream("upstream", upstream, pulumi.ResourceOptions())

    return graph.run(program, environment, None)


def register_example(environment: str) -> None:
    example = read_description(PROJECT_ROOT / "policies/api/examples/finance.yaml")
    api = example.api(state=LifecycleState.ENABLED, git_commit="0" * 40)
    apis_file(environment).write_text(Apis(apis=(api,)).text(), encoding="utf-8")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_has_the_registry_with_its_files(environment: str) -> None:
    found = declared(environment)
    maps = {name: each.inputs for name, each in of_kind(found, "ConfigMap").items()}
    assert yaml.safe_load(maps["envoy"]["data"]["envoy.yaml"])["static_resources"]["listeners"]
    assert KEY.splitlines()[1] in maps["opa"]["data"]["opa.yaml"]
    assert {"log.rego", "authz.rego"} < set(maps["opa"]["data"])
    pod = of_kind(found, "Deployment")["registry"].inputs["spec"]["template"]["spec"]
    assert all("@sha256:" in each["image"] for each in pod["containers"])
    whole = sum(parse_quantity(each["resources"]["requests"]["memory"]) for each in pod["containers"])
    assert whole == (1536 if environment == "local" else 13056) * 2**20
    assert ("upstream" in of_kind(found, "Deployment")) is (environment == "local")


@pytest.mark.parametrize(("environment", "least", "most"), [("local", 2, 2), ("dev", 3, 3), ("prod", 3, 6)])
def test_the_number_of_pods_is_that_of_the_plan_or_of_the_listed_nodes(environment: str, least: int, most: int) -> None:
    pods = pods_of(configuration_of(environment))
    assert (pods.least, pods.most) == (least, most)


def test_more_load_is_more_pods() -> None:
    pods = pods_of(configuration_of("prod", with_load("prod", 50_000)))
    assert (pods.least, pods.most) == (3, 11)


def test_registered_apis_are_routed_and_restart_nothing() -> None:
    before = declared("prod")
    register_example("prod")
    after = declared("prod")
    routes = [of_kind(each, "ConfigMap")["envoy"].inputs["data"]["routes.yaml"] for each in (before, after)]
    assert "/v1/finance/records" not in routes[0]
    assert "/v1/finance/records" in routes[1]
    deployments = [of_kind(each, "Deployment")["registry"].inputs for each in (before, after)]
    assert deployments[0] == deployments[1]


def test_the_same_input_gives_the_same_objects() -> None:
    register_example("prod")
    assert declared("prod").resources == declared("prod").resources


def too_many() -> Apis:
    """Operations whose routes are more than a ConfigMap holds: few with long paths, so that it is quick."""
    api = read_description(PROJECT_ROOT / "policies/api/examples/finance.yaml").api(
        state=LifecycleState.ENABLED, git_commit="0" * 40
    )
    long = "/".join(["segment"] * 1_000)
    operations = tuple(api.operations[0].model_copy(update={"path": f"/v1/{one}/{long}"}) for one in range(50))
    return Apis(apis=(api.model_copy(update={"operations": operations}),))


def test_more_operations_than_the_pods_can_be_given_are_refused_before_anything_is_declared() -> None:
    apis_file("prod").write_text(too_many().text(), encoding="utf-8")
    configuration = configuration_of("prod")
    assert configuration.cluster is not None
    with pytest.raises(ConfigurationError, match=r"bytes \(operations: 50, services: 1\)"):
        registry_arguments(configuration, configuration.cluster)


def test_they_are_refused_when_they_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_registry", lambda *_: nullcontext())
    monkeypatch.setattr(publication, "exported", lambda _: too_many())
    with pytest.raises(ConfigurationError, match="allowed: at most 1,048,576 bytes"):
        command.export("prod")
    assert not apis_file("prod").exists()


@pytest.mark.parametrize(("configured", "told"), [(None, 307), (96, 96), (512, 307)])
def test_envoy_refuses_requests_before_the_kernel_ends_it(configured: int | None, told: int) -> None:
    access = {} if configured is None else {"envoy_heap_mib": configured}
    configuration = configuration_of("local", shipped_fleet("local", access=access))
    assert configuration.cluster is not None
    pod = registry_arguments(configuration, configuration.cluster).pod
    (heap,) = re.findall(r"max_heap_size_bytes: ([0-9]+)", pod.files["envoy"]["envoy.yaml"])
    assert int(heap) == told * 2**20
    assert "--concurrency 1" in " ".join(pod.arguments["envoy"])


def test_without_a_database_host_it_is_refused() -> None:
    hosts = [host for host in shipped_fleet("prod")["hosts"] if host["group"] != "database"]
    configuration = configuration_of("prod", shipped_fleet("prod", hosts=hosts))
    assert configuration.cluster is not None
    with pytest.raises(ConfigurationError, match="The environment prod has no database host") as refused:
        registry_arguments(configuration, configuration.cluster)
    assert refused.value.allowed == "one host of the group database"


@pytest.mark.parametrize("missing", ["bundle.tar.gz", KEY_FILE])
def test_without_a_bundle_it_is_refused_with_what_to_do(missing: str) -> None:
    configuration = configuration_of("prod")
    bundle_file("prod").with_name(missing).unlink()
    assert configuration.cluster is not None
    with pytest.raises(ConfigurationError, match="The environment prod has no policy bundle") as refused:
        registry_arguments(configuration, configuration.cluster)
    assert refused.value.remedy == "palisade bundle build prod"


@pytest.mark.parametrize(
    ("balancer", "says", "is_awaited"),
    [
        (None, {"nodePorts": [30443, 30843], "healthCheckNodePort": 30256}, False),
        ({"sends_to": "pods", "networks": ["10.21.0.0/28"]}, {}, False),
        ({"sends_to": "service-address", "addresses": ["10.20.0.100"]}, {"loadBalancerIP": "10.20.0.100"}, True),
        ({"sends_to": "host-addresses", "addresses": ["10.20.0.21"]}, {"externalIPs": ["10.20.0.21"]}, False),
    ],
    ids=["dev as it is shipped", "pods", "service-address", "host-addresses"],
)
def test_the_service_says_what_the_load_balancer_needs(balancer: Any, says: dict[str, Any], is_awaited: bool) -> None:  # noqa: FBT001 - a row
    fleet = shipped_fleet("dev")
    if balancer:
        fleet["edge"] = {**fleet["edge"], "load_balancer": balancer}
    service = of_kind(declared("dev", fleet), "Service")["registry"].inputs
    spec, ports = service["spec"], service["spec"]["ports"]
    found = {name: spec[name] for name in ("loadBalancerIP", "externalIPs", "healthCheckNodePort") if name in spec}
    pinned = [port["nodePort"] for port in ports if "nodePort" in port]
    assert {**found, **({"nodePorts": pinned} if pinned else {})} == says
    assert [port["port"] for port in ports] == [443, 8443]
    assert ("pulumi.com/skipAwait" not in service["metadata"]["annotations"]) is is_awaited
