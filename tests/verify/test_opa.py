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
    """Every decision is logged, with nothing of the request but what the control names."""
    expected = control.expected
    configuration = _configuration(cluster)
    observation.file = configuration.get("decision_logs", {})
    problems = differences(expected["settings"], observation.file, source="decision_logs in opa.yaml")
    made = []
    if cluster.person is not None:
        headers = {"Authorization": f"Bearer {cluster.person(expected['person'])}"}
        made = [
            edge.ask(address, port, "/", headers=headers)
            for address in edge.addresses(cluster)
            for port in expected["ports"]
        ]
    logged = edge.decisions(cluster, made)
    observation.runtime = {"requests": len(made), "decisions": len(logged)}
    named = [one.get("input", {}).get("request_id") for one in logged]
    problems += [f"the decision on {one.identity} is not logged" for one in made if one.identity not in named]
    for one in logged:
        more = sorted(set(one.get("input", {})) - set(expected["facts"]))
        problems += [f"the decision {one['decision_id']} is logged with {', '.join(more)}"] if more else []
    require(problems)


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
