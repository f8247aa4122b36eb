"""OPA beside Envoy: its bundle, what it decides, what it writes down, and whom it answers."""

import yaml

from palisade.verification import edge, inside, port_forward, registry_pods
from palisade.verification.check import differences, require
from palisade.verification.signed_bundle import read_bundle
from palisade.verification.waiting import read_until

HTTP = 8282
BUNDLES = 8283
BUNDLE = "bundle.tar.gz"
ROLLOUT_SECONDS = 150
"""How long a pod may decide by the last bundle: its kubelet looks for files once a minute, and OPA twice a minute."""


def _configuration(cluster):
    return yaml.safe_load(registry_pods.file(cluster, "opa", "opa.yaml"))


def _get(cluster, pod, port, path):
    return port_forward.get(cluster, registry_pods.NAMESPACE, pod, port, path)


def _declared_bundle(cluster, configuration):
    signing = configuration["bundles"]["api"].get("signing") or {}
    key = configuration.get("keys", {}).get(signing.get("keyid"), {}).get("key", "")
    archive = registry_pods.binary_file(cluster, "opa-bundle", BUNDLE)
    return signing, key, archive


def test_bundle(control, observation, cluster):
    """OPA takes signed bundles only; the declared one is whole, signed for this environment, and what OPA is given."""
    configuration = _configuration(cluster)
    environment = configuration["labels"]["environment"]
    signing, key, archive = _declared_bundle(cluster, configuration)
    observation.file = {"signing": signing, "environment": environment}
    wanted = {"keyid": control.expected["key"], "scope": environment}
    problems = differences(wanted, signing, source="the signing of the bundle in opa.yaml")
    require(problems if key else [*problems, "opa.yaml has no key that checks a bundle"])
    bundle = read_bundle(archive, key)
    problems += [f"the bundle: {problem}" for problem in bundle.problems]
    problems += differences(wanted, {"keyid": bundle.key, "scope": bundle.scope}, source="the signature of the bundle")
    observation.runtime = {"revision": bundle.revision}
    for pod in registry_pods.running(cluster):
        given = _get(cluster, pod, BUNDLES, f"/{BUNDLE}").body
        healthy = _get(cluster, pod, HTTP, "/health?bundles").status
        observation.runtime[pod] = {"revision": read_bundle(given, key).revision, "active": healthy == port_forward.OK}
        problems += [f"OPA of {pod} is given another bundle than is declared"] if given != archive else []
        problems += [f"OPA of {pod} has no bundle that it accepts"] if healthy != port_forward.OK else []
    require(problems)


def test_decision(control, observation, readings, cluster):
    """Asked as Envoy asks it, about a request of which nothing is said, OPA refuses, by the bundle that is declared."""
    _, key, archive = _declared_bundle(cluster, _configuration(cluster))
    revision = read_bundle(archive, key).revision
    wanted = {**control.expected["decision"], "bundle_revision": revision}
    observation.file = {"bundle_revision": revision}

    def asked():
        pod = inside.registry_pod(cluster, readings.afresh())
        return pod.name, dict(pod.decision())

    pod, observation.runtime = read_until(
        asked, lambda found: found[1].get("bundle_revision", revision) == revision, seconds=ROLLOUT_SECONDS
    )
    require(differences(wanted, observation.runtime, source=f"OPA's answer in {pod}"))


def test_log(control, observation, cluster):
    """Envoy records every decision; where OPA logs them too, they are the same, and say what the control names."""
    expected = control.expected
    own = _configuration(cluster).get("decision_logs")
    in_record = expected["in_record"] in registry_pods.file(cluster, "envoy", "envoy.yaml")
    observation.file = {"decision_logs": own, "in_record": in_record}
    problems = differences(expected["settings"], own, source="decision_logs in opa.yaml") if own else []
    problems += [] if in_record else [f"Envoy's record of a request is without {expected['in_record']}"]
    made = []
    if cluster.person is not None:
        headers = {"Authorization": f"Bearer {cluster.person(expected['person'])}"}
        places = [(address, port) for address in edge.addresses(cluster) for port in expected["ports"]]
        made = [edge.ask(address, port, "/", headers=headers) for address, port in places]
    written = edge.records(cluster, made)
    recorded = {name: [one["decision"]["id"] for one in found] for name, found in written.items()}
    observation.runtime = {"requests": len(made), "recorded": recorded}
    problems += [f"Envoy records no decision on {name}" for name, found in recorded.items() if not all(found or [None])]
    if own:
        logged = edge.decisions(cluster, made)
        observation.runtime["logged"] = len(logged)
        problems += _otherwise_by_opa(logged, recorded, expected["facts"])
    require(problems)


def _otherwise_by_opa(logged, recorded, facts):
    """What OPA's log has otherwise than Envoy's records, and what it says of requests besides these facts."""
    named = {one.get("input", {}).get("request_id"): one["decision_id"] for one in logged}
    yield from (f"OPA has not logged the decision on {name}" for name in recorded if name not in named)
    for name, found in recorded.items():
        if found and name in named and named[name] not in found:
            yield f"OPA logs the decision on {name} as {named[name]}, Envoy records {', '.join(map(str, found))}"
    for one in logged:
        if more := sorted(set(one.get("input", {})) - set(facts)):
            yield f"the decision {one['decision_id']} is logged with {', '.join(more)}"


def test_interface(control, observation, cluster):
    """OPA is started to listen for its pod only and to ask its rules; it tells its health, and nothing else."""
    expected = control.expected
    containers = {one["name"]: one for one in registry_pods.template(cluster)["containers"]}
    arguments = containers["opa"].get("args") or []
    observation.file = [one for one in arguments if one.startswith(("--addr", "--authorization", "--authentication"))]
    problems = [f"OPA is not started with {one}" for one in expected["arguments"] if one not in arguments]
    plugin = _configuration(cluster)["plugins"]["envoy_ext_authz_grpc"]
    problems += differences(expected["plugin"], plugin, source="envoy_ext_authz_grpc in opa.yaml")
    observation.runtime = {}
    for pod in registry_pods.running(cluster):
        answers = {path: _get(cluster, pod, HTTP, path).status for path in expected["answers"]}
        observation.runtime[pod] = answers
        problems += differences(expected["answers"], answers, source=f"the answers of OPA in {pod}")
    require(problems)
