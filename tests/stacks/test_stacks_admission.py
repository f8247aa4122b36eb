"""What the stack declares about policies, and the whole graph before its own policy pack."""

from __future__ import annotations

import pytest
from stacks_program import PROJECT_ROOT, graph_of, run_program, shipped_fleet

from palisade.config import load_configuration
from palisade.policies.admission import admission_policies
from palisade.policies.pack import refusals
from palisade.policies.rules import load_rules
from palisade.policies.settings import NAMESPACES, policy_settings
from palisade.project import Project
from palisade.rendering.graph import Declared, Graph

ENVIRONMENTS = ["dev", "local", "prod", "staging"]
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
RULES = load_rules()


def of_type(graph: Graph, kind: str) -> dict[str, Declared]:
    return {resource.inputs["metadata"]["name"]: resource for resource in graph.objects if resource.type == kind}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_stack_declares_keeps_every_rule(environment: str) -> None:
    settings = policy_settings(load_configuration(Project(root=PROJECT_ROOT), environment))
    assert of_type(graph_of(environment), "kubernetes:apps/v1:Deployment"), "the rules have pods to judge"
    said = [
        refusal
        for rule in RULES.values()
        for resource in graph_of(environment).objects
        for refusal in refusals(rule, resource.type, resource.inputs, settings)
    ]
    assert said == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_policy_is_declared_as_the_api_takes_it(environment: str) -> None:
    settings = policy_settings(load_configuration(Project(root=PROJECT_ROOT), environment))
    expected = {policy.name: policy for policy in admission_policies(RULES, settings)}
    graph = graph_of(environment)
    assert {name: found.inputs["spec"] for name, found in of_type(graph, POLICY).items()} == {
        name: policy.spec for name, policy in expected.items()
    }
    bindings = {name: spec for policy in expected.values() for name, spec in policy.binding_specs().items()}
    found = of_type(graph, f"{POLICY}Binding")
    assert {name: resource.inputs["spec"] for name, resource in found.items()} == bindings
    for name, resource in found.items():
        assert any(urn.endswith(f"::{bindings[name]['policyName']}") for urn in resource.dependencies)


def test_every_namespace_of_the_stack_is_one_that_is_bound_by_name() -> None:
    assert set(of_type(graph_of("prod"), "kubernetes:core/v1:Namespace")) == set(NAMESPACES)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_policy_that_fails_refuses(environment: str) -> None:
    assert {found.inputs["spec"]["failurePolicy"] for found in of_type(graph_of(environment), POLICY).values()} == {
        "Fail"
    }


def test_only_a_local_fleet_may_have_tags() -> None:
    def local(environment: str) -> str:
        variables = of_type(graph_of(environment), POLICY)["palisade-image-digest"].inputs["spec"]["variables"]
        return str(next(variable["expression"] for variable in variables if variable["name"] == "local"))

    assert {environment: local(environment) for environment in ENVIRONMENTS} == {
        "dev": "false",
        "local": "true",
        "prod": "false",
        "staging": "false",
    }


def test_the_settings_are_declared_after_the_policies_that_judge_them() -> None:
    settings = of_type(graph_of("prod"), "kubernetes:core/v1:ConfigMap")["palisade-settings"]
    assert settings.inputs["data"] == {
        "database_allowed_sources": "10.40.0.0/24",
        "region.audit": "eu-central-1",
        "region.metadata": "eu-central-1",
        "retention_days": "2557",
    }
    judges = {
        "palisade-audit-retention-settings",
        "palisade-data-regions-settings",
        "palisade-database-sources-settings",
    }
    assert judges <= {urn.rpartition("::")[2] for urn in settings.dependencies}


def test_another_region_in_the_configuration_is_another_policy() -> None:
    fleet = shipped_fleet("prod")
    fleet["data_classes"] = {"audit": {"allowed_regions": ["eu-north-1"], "region": "eu-north-1"}}
    graph = run_program("prod", fleet)
    variables = of_type(graph, POLICY)["palisade-data-regions-settings"].inputs["spec"]["variables"]
    assert variables[0] == {"name": "regions", "expression": '{"audit": ["eu-north-1"]}'}
    assert (
        of_type(graph, "kubernetes:core/v1:ConfigMap")["palisade-settings"].inputs["data"]["region.audit"]
        == "eu-north-1"
    )
