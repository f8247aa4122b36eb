"""What the API server refuses to take: policies, and objects that are offered to it in dry runs."""

import copy

from palisade.verification.check import require

ADMISSION = "admissionregistration.k8s.io/v1"
IMAGE = f"registry.palisade.internal/palisade/web@sha256:{'0' * 64}"
NAMESPACES = "kubernetes.io/metadata.name"


def _deployment(namespace):
    """A Deployment that breaks no rule."""
    container = {
        "name": "web",
        "image": IMAGE,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "50m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    labels = {"app.kubernetes.io/name": "palisade-verify"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "palisade-verify", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _pod(namespace):
    deployment = _deployment(namespace)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": deployment["metadata"],
        "spec": deployment["spec"]["template"]["spec"],
    }


def _changed(document, changes):
    """A copy with other values; a path names keys and positions, and None takes a key away."""
    changed = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place = changed
        for step in parents:
            place = place[step] if isinstance(place, list) else place.setdefault(step, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return changed


def _offered(control):
    """The objects that are offered: the ones that are to be taken, and the ones that are not."""
    expected = control.expected
    if "object" in expected:
        return expected["object"], _changed(expected["object"], expected["change"])
    namespace = expected["namespace"]
    if expected.get("kind") == "Pod":
        return _pod(namespace), _changed(_pod(namespace), expected["change"])
    deployment = _deployment(namespace)
    change = {path.replace("pod.", "spec.template.spec.", 1): value for path, value in expected["change"].items()}
    return deployment, _changed(deployment, change)


def test_refuses(control, observation, cluster):
    """An object is taken, and refused for the right reason once it has one fault."""
    good, bad = _offered(control)
    observation.runtime = {"without_the_fault": cluster.refusal(good) or "taken", "with_it": cluster.refusal(bad)}
    problems = []
    if observation.runtime["without_the_fault"] != "taken":
        problems.append(f"an object without the fault is refused: {observation.runtime['without_the_fault']}")
    if observation.runtime["with_it"] is None:
        problems.append("an object with the fault is taken")
    elif control.expected["says"] not in observation.runtime["with_it"]:
        problems.append(f"it is refused for another reason: {observation.runtime['with_it']}")
    require(problems)


def test_policies(control, observation, cluster):
    """Every policy is there, refuses when it cannot be asked, and is bound to refuse in each namespace."""
    policies = {one["metadata"]["name"]: one for one in cluster.objects("ValidatingAdmissionPolicy", ADMISSION)}
    bindings = cluster.objects("ValidatingAdmissionPolicyBinding", ADMISSION)
    observation.runtime, problems = {}, []
    for name in control.expected["policies"]:
        bound = {
            namespace
            for one in bindings
            if one["spec"]["policyName"] == name and "Deny" in one["spec"].get("validationActions", ())
            for namespace in _namespaces(one)
        }
        failure = policies.get(name, {}).get("spec", {}).get("failurePolicy", "Fail") if name in policies else None
        observation.runtime[name] = {"failure_policy": failure, "refuses_in": sorted(bound)}
        if name not in policies:
            problems.append(f"the policy {name} is missing")
        elif failure != "Fail":
            problems.append(f"the policy {name} lets through what it cannot judge ({failure})")
        missing = sorted(set(control.expected["namespaces"]) - bound)
        problems += [f"the policy {name} does not refuse in {namespace}" for namespace in missing]
    require(problems)


def _namespaces(binding):
    selector = (binding["spec"].get("matchResources") or {}).get("namespaceSelector") or {}
    rules = selector.get("matchExpressions") or ()
    if len(rules) == 1 and rules[0]["key"] == NAMESPACES and rules[0]["operator"] == "In":
        return rules[0]["values"]
    return []
