"""The cluster's half of the rules on a real API server: on every sample, and with each expression taken away."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from admission_cluster import BINDING, GROUP, POLICY, Cluster, Refusal, refusal_of

from palisade.policies.admission import AdmissionPolicy, admission_policies
from palisade.policies.pack import refusals
from palisade.policies.rules import load_rules
from palisade.policies.settings import NAMESPACES
from tests.control_plane import control_plane
from tests.policies.policy_samples import SETTINGS, Sample, load_samples
from tests.waiting import wait_until

RULES = load_rules()
SAMPLES = load_samples()
POLICIES = {environment: admission_policies(RULES, settings) for environment, settings in SETTINGS.items()}
GATEWAYS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "gateways.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in that takes any gateway"},
    },
    "spec": {
        "group": "gateway.networking.k8s.io",
        "names": {"kind": "Gateway", "plural": "gateways"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}

PLACE = "palisade-registry"
NOT_PRIVATE = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 5432}]}
CHANGES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "Deployment": ({"template": {"spec": {"hostPID": True}}}, {"revisionHistoryLimit": 5}),
    "NetworkPolicy": ({"ingress": [NOT_PRIVATE]}, {"podSelector": {"matchLabels": {"app": "later"}}}),
    "Service": ({"type": "LoadBalancer", "ports": [{"port": 22}]}, {"sessionAffinity": "ClientIP"}),
}
"""Of a kind, what breaks a rule when it comes later, and another change that breaks none."""


def allowed_object(kind: str) -> dict[str, Any]:
    """An object of the kind that no rule refuses, and that nothing of the cluster removes when it is deleted."""
    manifest: dict[str, Any] = {"kind": kind, "metadata": {"name": "later", "namespace": PLACE}}
    manifest["metadata"]["finalizers"] = ["palisade.dev/test"]
    if kind == "Deployment":
        labels = {"app": "later"}
        template = {"metadata": {"labels": labels}, "spec": allowed_pod()["spec"]}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        return {**manifest, "apiVersion": "apps/v1", "spec": spec}
    if kind == "Service":
        return {**manifest, "apiVersion": "v1", "spec": {"selector": {"app": "later"}, "ports": [{"port": 8443}]}}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}
    return {**manifest, "apiVersion": "networking.k8s.io/v1", "spec": spec}


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def allowed_pod(**changes: Any) -> dict[str, Any]:
    """The first allowed pod of the samples, elsewhere or under another name."""
    sample = next(sample for sample in SAMPLES if sample.is_allowed and sample.manifest["kind"] == "Pod")
    return {**sample.manifest, "metadata": {"name": "web", "namespace": "palisade-registry", **changes}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with control_plane(controllers=True) as plane:
        cluster = Cluster(str(plane.kubeconfig))
        for name in NAMESPACES:
            cluster.create(namespace(name))
        cluster.create(namespace("labelled", **{"palisade.dev/policies": "enforced"}))
        cluster.create(GATEWAYS)
        cluster.wait_until_served(next(s.manifest for s in SAMPLES if s.manifest["kind"] == "Gateway"))
        for name in (*NAMESPACES, "labelled", "default"):
            cluster.wait_until_pods_can_be_made(name)
        yield cluster


@pytest.fixture(scope="class")
def enforced(cluster: Cluster) -> Iterator[Cluster]:
    """With the policies as the stack of prod declares them."""
    for policy in POLICIES["prod"]:
        cluster.declare_policy(policy.name, policy.spec, policy.binding_specs())
    cluster.wait_until_effective()
    yield cluster
    cluster.delete(BINDING, [name for policy in POLICIES["prod"] for name in policy.binding_specs()])
    cluster.delete(POLICY, [policy.name for policy in POLICIES["prod"]])


class TestPoliciesOfTheStack:
    def test_a_sample_is_refused_by_its_own_rule_only_and_in_full_sentences(self, enforced: Cluster) -> None:
        samples = [sample for sample in SAMPLES if sample.environment == "prod"]
        found = {sample: enforced.refusal(sample.manifest) for sample in samples}
        rules = {sample: _rule_of(refusal.policy) if refusal else None for sample, refusal in found.items()}
        wrong = {sample: found[sample] for sample in samples if rules[sample] != sample.refused_by}
        assert wrong == {}
        for sample, refusal in found.items():
            if refusal:
                rule = RULES[sample.rule]
                assert refusal.message.endswith(f". Allowed: {rule.allowed}. What to do: {rule.remedy}.")
                assert not refusal.message.startswith("Something"), "the expression of the message has failed"

    def test_the_api_server_finds_nothing_wrong_with_the_types_of_expressions(self, enforced: Cluster) -> None:
        def states() -> list[Mapping[str, Any]]:
            found = enforced.resource({"apiVersion": GROUP, "kind": POLICY}).get().items
            return [policy.to_dict() for policy in found if policy.metadata.name.startswith("palisade-")]

        wait_until(
            lambda: all("typeChecking" in state.get("status", {}) for state in states()), "types are not checked"
        )
        warnings = {state["metadata"]["name"]: state["status"]["typeChecking"] for state in states()}
        assert {name: found for name, found in warnings.items() if found} == {}

    def test_both_implementations_agree_on_pods_that_nobody_chose(self, enforced: Cluster) -> None:
        """Values of the samples in new combinations: the pack refuses if and only if the cluster does."""
        dice = random.Random(20261122)  # noqa: S311 - the same pods each time
        verdicts = []
        for number in range(120):
            pod = mixed_pod(dice, f"mixed-{number}")
            refusing = [
                rule.id
                for rule in RULES.values()
                if any(refusals(rule, "kubernetes:core/v1:Pod", pod, SETTINGS["prod"]))
            ]
            refusal = enforced.refusal(pod)
            assert (_rule_of(refusal.policy) in refusing) if refusal else not refusing, (pod, refusing, refusal)
            verdicts.append(bool(refusing))
        assert 20 < sum(verdicts) < 110

    def test_namespaces_are_bound_by_name_or_by_label(self, enforced: Cluster) -> None:
        namespaces = [*NAMESPACES, "labelled", "default"]
        refused = [name for name in namespaces if enforced.refusal(refused_pod(name="web", namespace=name))]
        assert refused == [*NAMESPACES, "labelled"]

    def test_a_change_is_judged_like_a_new_object(self, enforced: Cluster) -> None:
        name, place = "palisade-settings", "palisade-system"
        enforced.create(next(s.manifest for s in SAMPLES if s.is_allowed and s.rule == "audit-retention"))
        shorter = {"data": {"retention_days": "364"}}
        refusal = refusal_of(lambda: enforced.core().patch_namespaced_config_map(name, place, shorter))
        enforced.core().delete_namespaced_config_map(name, place)
        assert refusal is not None
        assert refusal.message.startswith("retention_days: '364' is too short")

    @pytest.mark.parametrize("kind", CHANGES)
    def test_a_change_is_refused_as_long_as_the_object_is_there(self, enforced: Cluster, kind: str) -> None:
        """Also while it is being deleted: a Service serves and a NetworkPolicy admits until its last finalizer goes."""
        broken, harmless = CHANGES[kind]
        made = allowed_object(kind)
        api = enforced.resource(made)

        def change(**body: Any) -> Refusal | None:
            kinds = {"content_type": "application/merge-patch+json", "name": "later", "namespace": PLACE}
            return refusal_of(lambda: api.patch(body=body, **kinds))

        enforced.create(made)
        before = (change(spec=harmless), change(spec=broken))
        api.delete("later", PLACE)
        assert api.get("later", PLACE).metadata.deletionTimestamp
        while_deleted = change(spec=broken)
        last = change(metadata={"finalizers": None})
        assert (before[0], last) == (None, None)
        assert before[1] is not None
        assert while_deleted == before[1]
        wait_until(lambda: not [one for one in api.get(namespace=PLACE).items if one.metadata.name == "later"], kind)

    @pytest.mark.parametrize("is_privileged", [True, False])
    def test_a_container_for_debugging_is_judged_too(self, enforced: Cluster, *, is_privileged: bool) -> None:
        name = f"debugged-{'badly' if is_privileged else 'well'}"
        enforced.create(allowed_pod(name=name, namespace="palisade-registry"))
        first = allowed_pod()["spec"]["containers"][0]
        debug = {"name": "debug", "image": first["image"], "securityContext": dict(first["securityContext"])}
        if is_privileged:
            debug["securityContext"] = {"privileged": True, "capabilities": {"drop": ["ALL"]}}
        change = {"spec": {"ephemeralContainers": [debug]}}
        refusal = refusal_of(
            lambda: enforced.core().patch_namespaced_pod_ephemeralcontainers(name, "palisade-registry", change)
        )
        assert (refusal.policy if refusal else None) == ("palisade-unprivileged" if is_privileged else None)

    def test_what_was_there_before_can_still_be_deleted(self, enforced: Cluster) -> None:
        enforced.create(namespace("before"))
        enforced.wait_until_pods_can_be_made("before")
        enforced.create(refused_pod(name="old", namespace="before", finalizers=["palisade.dev/test"]))
        api = enforced.core()
        api.patch_namespace("before", {"metadata": {"labels": {"palisade.dev/policies": "enforced"}}})

        def is_judged() -> bool:
            change = {"metadata": {"labels": {"any": "label"}}}
            return refusal_of(lambda: api.patch_namespaced_pod("old", "before", change)) is not None

        wait_until(is_judged, "the namespace is not judged")
        api.delete_namespaced_pod("old", "before", grace_period_seconds=0)
        api.patch_namespaced_pod("old", "before", {"metadata": {"finalizers": None}})
        wait_until(lambda: not api.list_namespaced_pod("before").items, "the pod is still there")


def refused_pod(**metadata: Any) -> dict[str, Any]:
    pod = allowed_pod(**metadata)
    return {**pod, "spec": {**pod["spec"], "hostPID": True}}


def mixed_pod(dice: random.Random, name: str) -> dict[str, Any]:
    """A pod whose parts come from three samples."""
    pods = [
        sample.manifest["spec"]
        for sample in SAMPLES
        if sample.manifest["kind"] == "Pod"
        and sample.environment == "prod"
        and "hostUsers" not in sample.manifest["spec"]
    ]
    first, second, third = dice.sample(pods, 3)
    container = {**third["containers"][0], "name": "mixed", "volumeMounts": []}
    spec = {**first, "securityContext": second.get("securityContext", {}), "containers": [container]}
    metadata = {"name": name, "namespace": dice.choice(NAMESPACES)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class Mutants:
    """Every policy beside copies of it that lack one expression each; an object's labels choose which ones judge it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        for environment, policies in POLICIES.items():
            judged = {sample.rule for sample in SAMPLES if sample.environment == environment}
            for policy in policies:
                name = f"{environment}-{policy.name}"
                self._declare(name, policy.spec, environment, _expression("NotIn", "mutant-of", policy.name))
                for number in range(len(policy.spec["validations"]) if policy.rule in judged else 0):
                    mutant = f"{name}-{number}"
                    self._declare(mutant, _without(policy, number), environment, _expression("In", "mutant", mutant))
        cluster.wait_until_effective()

    def _declare(self, name: str, spec: Mapping[str, Any], environment: str, chosen: Mapping[str, Any]) -> None:
        selector = {"matchExpressions": [_expression("In", "environment", environment), chosen]}
        binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"objectSelector": selector}}
        self.cluster.declare_policy(name, spec, {name: binding})

    def refusal(self, sample: Sample, **labels: str) -> Refusal | None:
        """What the policies of the sample's environment say to it; labels put a mutant in the place of one of them."""
        metadata = sample.manifest["metadata"]
        labels = {**metadata.get("labels", {}), "environment": sample.environment, **labels}
        return self.cluster.refusal({**sample.manifest, "metadata": {**metadata, "labels": labels}})


def _expression(operator: str, key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": [value]}


def _without(policy: AdmissionPolicy, number: int) -> Mapping[str, Any]:
    validations = [dict(validation) for validation in policy.spec["validations"]]
    validations[number]["expression"] = "true"
    return {**policy.spec, "validations": validations}


def _rule_of(policy: str) -> str:
    return next(known.rule for known in POLICIES["prod"] if policy.endswith(known.name))


@pytest.fixture(scope="class")
def mutants(cluster: Cluster) -> Mutants:
    return Mutants(cluster)


@pytest.fixture(scope="class")
def refused(mutants: Mutants) -> Mapping[Sample, Refusal | None]:
    """What the policies of each sample's environment say to it, no expression missing."""
    return {sample: mutants.refusal(sample) for sample in SAMPLES}


class TestExpressions:
    def test_samples_are_judged_by_the_settings_of_their_environment(
        self, refused: Mapping[Sample, Refusal | None]
    ) -> None:
        assert {sample: found for sample, found in refused.items() if bool(found) == sample.is_allowed} == {}

    def test_each_expression_refuses_what_nothing_else_refuses(
        self, mutants: Mutants, refused: Mapping[Sample, Refusal | None]
    ) -> None:
        """With one expression replaced by `true`, a refused sample is accepted although all other policies judge it."""
        idle = []
        for policy in POLICIES["prod"]:
            samples = [s for s, found in refused.items() if found and found.policy == f"{s.environment}-{policy.name}"]
            for number, validation in enumerate(policy.spec["validations"]):
                chosen = {
                    s: {"mutant-of": policy.name, "mutant": f"{s.environment}-{policy.name}-{number}"} for s in samples
                }
                if all(mutants.refusal(sample, **labels) for sample, labels in chosen.items()):
                    idle.append((policy.name, validation["message"]))
        assert idle == []
