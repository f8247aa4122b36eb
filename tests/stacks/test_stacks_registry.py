"""The registry pods and what is around them: one per node, spread, without rights, and replaced one by one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pulumi
import pytest
from kubernetes.utils.quantity import parse_quantity
from pulumi_kubernetes.core.v1 import Namespace
from stacks_program import of_kind

from palisade.errors import ConfigurationError
from palisade.rendering import graph
from palisade.rendering.graph import Graph
from palisade.sizing import Resources
from stacks.registry import Pods, Registry, RegistryArgs, WayIn
from stacks.registry_pod import RegistryPod
from stacks.registry_table import RegistryTable, divided
from stacks.tables import DATA, read_table

TABLE = read_table("registry", RegistryTable)
ROOM = Resources(3400, 13056)
POD = RegistryPod(
    table=TABLE,
    images={name: f"images.example/{name}@sha256:{'0' * 64}" for name in ("envoy", "opa", "apicurio-registry")},
    room=ROOM,
    arguments={"envoy": ("--config-path=/etc/envoy/envoy.yaml",), "opa": ("run", "--server")},
    environment={"opa": {"GOGC": "800"}},
    files={"envoy": {"envoy.yaml": "start", "routes.yaml": "later"}, "opa": {"opa.yaml": "start"}},
    read_at_start={"envoy": ("envoy.yaml",), "opa": ("opa.yaml",)},
    database_server="10.40.0.51",
)
NETWORKS = (IPv4Network("10.0.0.0/8"),)


def declared(pod: RegistryPod = POD, pods: Pods = Pods(3, 11), way_in: WayIn = WayIn()) -> Graph:  # noqa: B008 - they are frozen
    def program() -> None:
        namespace = Namespace("palisade-registry")
        args = RegistryArgs(pod=pod, pods=pods, bundle=b"a bundle", clients=NETWORKS, way_in=way_in)
        Registry("registry", args, pulumi.ResourceOptions(), namespace=namespace)

    return graph.run(program, "prod", None)


@cache
def usual() -> Graph:
    return declared()


def spec_of(kind: str, found: Graph | None = None) -> Any:
    return of_kind(found or usual(), kind)["registry"].inputs["spec"]


def pod_of(found: Graph | None = None) -> Any:
    return spec_of("Deployment", found)["template"]["spec"]


def containers() -> dict[str, Any]:
    return {each["name"]: each for each in pod_of()["containers"]}


def test_three_containers_ask_together_for_what_the_sizing_says_and_none_may_starve_the_others() -> None:
    found = containers()
    assert list(found) == ["envoy", "opa", "apicurio"]
    for kind, whole in (("cpu", "3400m"), ("memory", "13056Mi")):
        asked = [parse_quantity(each["resources"]["requests"][kind]) for each in found.values()]
        assert sum(asked) == parse_quantity(whole)
        assert min(asked) > 0
    for each in found.values():
        asked = each["resources"]["requests"]
        assert asked["ephemeral-storage"] == "256Mi"
        assert each["resources"]["limits"] == {**asked, "cpu": "3400m"}


@pytest.mark.parametrize(("millicpu", "memory_mib"), [(1000, 1536), (7, 7), (3333, 10001)])
def test_a_division_leaves_nothing_over(millicpu: int, memory_mib: int) -> None:
    parts = divided(Resources(millicpu, memory_mib), TABLE.containers).values()
    assert sum(each.millicpu for each in parts) == millicpu
    assert sum(each.memory_mib for each in parts) == memory_mib


def test_pods_are_without_rights_and_without_a_login_to_the_cluster() -> None:
    pod = pod_of()
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "registry"
    assert of_kind(usual(), "ServiceAccount")["registry"].inputs["automountServiceAccountToken"] is False
    context = pod["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 65532, 65532)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "443"}]
    for each in pod["containers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_every_container_is_probed_through_the_health_listener() -> None:
    paths = {"envoy": "/envoy", "opa": "/opa", "apicurio": "/registry"}
    for name, each in containers().items():
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert each[probe]["httpGet"] == {"path": paths[name], "port": 8081}, (name, probe)
        probe = each["startupProbe"]
        assert probe["failureThreshold"] * probe["periodSeconds"] >= 30


def test_envoy_ends_before_what_it_asks_and_everything_before_the_pod() -> None:
    found = {name: each["lifecycle"]["preStop"]["sleep"]["seconds"] for name, each in containers().items()}
    assert found["envoy"] < min(found["opa"], found["apicurio"])
    assert max(found.values()) < pod_of()["terminationGracePeriodSeconds"]


def test_a_node_carries_one_pod_and_zones_as_many_as_each_other() -> None:
    pod = pod_of()
    (term,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    own = {"matchLabels": {"app.kubernetes.io/name": "registry"}}
    assert term == {"labelSelector": own, "topologyKey": "kubernetes.io/hostname"}
    (spread,) = pod["topologySpreadConstraints"]
    assert spread == {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": own,
    }
    assert pod["nodeSelector"] == {"palisade.dev/role": "registry"}
    assert pod["tolerations"] == [
        {"key": "palisade.dev/role", "operator": "Equal", "value": "registry", "effect": "NoSchedule"}
    ]
    assert pod["priorityClassName"] == "palisade-registry"


def test_pods_are_replaced_one_by_one_on_their_own_nodes() -> None:
    assert spec_of("Deployment")["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }
    budget = spec_of("PodDisruptionBudget")
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == {"matchLabels": {"app.kubernetes.io/name": "registry"}}


def test_an_autoscaler_counts_and_no_number_stands_beside_it() -> None:
    assert "replicas" not in spec_of("Deployment")
    scaler = spec_of("HorizontalPodAutoscaler")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 11)
    assert scaler["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 65}


def test_where_the_nodes_are_listed_the_number_is_theirs_and_nothing_scales() -> None:
    own = (IPv4Address("10.77.0.21"), IPv4Address("10.77.0.22"))
    found = declared(pods=Pods(2, 2), way_in=WayIn(addresses=own, is_given_an_address=False))
    assert spec_of("Deployment", found)["replicas"] == 2
    assert of_kind(found, "HorizontalPodAutoscaler") == {}
    service = of_kind(found, "Service")["registry"].inputs
    assert service["spec"]["externalIPs"] == ["10.77.0.21", "10.77.0.22"]
    assert service["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


def test_only_443_and_8443_are_published_and_the_address_of_the_client_stays() -> None:
    service = spec_of("Service")
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert [(port["port"], port["targetPort"]) for port in service["ports"]] == [(443, "apis"), (8443, "management")]
    assert service["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert not {"externalIPs", "loadBalancerIP", "healthCheckNodePort"} & set(service)
    assert not [port for port in service["ports"] if "nodePort" in port]
    ports = {port["name"]: port["containerPort"] for port in containers()["envoy"]["ports"]}
    assert ports == {"apis": 443, "management": 8443, "health": 8081}
    assert not containers()["apicurio"].get("ports")


def test_the_database_is_reached_over_tls_and_its_password_is_only_named() -> None:
    environment = {each["name"]: each for each in containers()["apicurio"]["env"]}
    url = environment["APICURIO_DATASOURCE_URL"]["value"]
    assert url.startswith("jdbc:postgresql://10.40.0.51:5432/registry?sslmode=verify-full&")
    assert "sslrootcert=/etc/palisade/authority/ca.crt" in url
    for name, key in (("USERNAME", "username"), ("PASSWORD", "password")):
        found = environment[f"APICURIO_DATASOURCE_{name}"]
        assert found["valueFrom"] == {"secretKeyRef": {"name": "registry-database", "key": key}}
    assert environment["QUARKUS_HTTP_HOST"]["value"] == "127.0.0.1"


def test_opa_collects_garbage_before_the_kernel_ends_it() -> None:
    environment = {each["name"]: each["value"] for each in containers()["opa"]["env"]}
    assert environment == {"GOGC": "800", "GOMEMLIMIT": f"{3264 * 80 // 100}MiB"}


def mounted(container: Mapping[str, Any]) -> dict[str, bool]:
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}


def test_each_container_sees_what_it_needs_and_writes_to_memory_and_scratch_only() -> None:
    found = {name: mounted(each) for name, each in containers().items()}
    assert found == {
        "envoy": {
            "/etc/envoy": True,
            "/etc/palisade/certificates": True,
            "/etc/palisade/authority": True,
            "/etc/opa-bundle": True,
            "/run/opa": True,
        },
        "opa": {"/etc/opa": True, "/run/opa": False, "/var/lib/opa": False},
        "apicurio": {"/etc/palisade/authority": True, "/tmp": False},  # noqa: S108 - of the pod
    }
    volumes = {volume["name"]: volume for volume in pod_of()["volumes"]}
    used = {mount["name"] for each in containers().values() for mount in each["volumeMounts"]}
    assert used == set(volumes)
    assert volumes["edge"]["secret"] == {"secretName": "edge", "defaultMode": 0o440}
    assert volumes["fleet-root"]["secret"]["secretName"] == "fleet-root"
    assert not any("hostPath" in volume for volume in volumes.values())


def test_the_files_are_config_maps_and_the_bundle_is_kept_as_bytes() -> None:
    maps = of_kind(usual(), "ConfigMap")
    assert maps["envoy"].inputs["data"] == POD.files["envoy"]
    assert base64.b64decode(maps["opa-bundle"].inputs["binaryData"]["bundle.tar.gz"]) == b"a bundle"
    for each in maps.values():
        assert any(urn.endswith("Namespace::palisade-registry") for urn in each.dependencies)


def restart_annotation(pod: RegistryPod) -> str:
    template = spec_of("Deployment", declared(pod))["template"]
    return str(template["metadata"]["annotations"]["palisade.dev/restarts-with"])


def test_only_files_that_are_read_at_the_start_replace_pods() -> None:
    before = restart_annotation(POD)
    watched = {**POD.files, "envoy": {"envoy.yaml": "start", "routes.yaml": "changed"}}
    assert restart_annotation(replace(POD, files=watched)) == before
    read = {**POD.files, "opa": {"opa.yaml": "changed"}}
    assert restart_annotation(replace(POD, files=read)) != before


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("cpu: 50, memory: 25", "cpu: 51, memory: 25", "The shares of cpu add up to 101."),
        ("cpu: 35, memory: 25", "cpu: 35, memory: 24", "The shares of memory add up to 99."),
        ("termination_seconds: 60", "termination_seconds: 25", "25 s are over before a container that drains for 25 s"),
        ("health: /opa", "healthy: /opa", "This key is not known."),
    ],
)
def test_a_table_that_does_not_add_up_is_refused(before: str, after: str, said: str, tmp_path: Path) -> None:
    text = (DATA / "registry.yaml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "registry.yaml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_table("registry", RegistryTable, directory=tmp_path)
    assert said in str(refused.value)
