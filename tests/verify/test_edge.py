"""The edge: what Envoy's file says, what the Envoy of each registry pod runs with, and what clients meet."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import yaml
from cryptography import x509

from palisade.fleet import FleetHost
from palisade.verification import edge, port_forward, registry_pods
from palisade.verification.check import differences, require
from palisade.verification.envoy import facts, routes_of, running_bootstrap, running_routes
from palisade.verification.probes import tls

ADMIN = 9901
CLOCKS = timedelta(minutes=1)
"""How far a certificate may begin before it was asked for, so that clocks may differ."""
ON_ITS_WAY = timedelta(minutes=3)
"""How long a new certificate may take from its Secret to the pods: a kubelet looks about once a minute."""
FORGED = {"TLSv1.2": "TLSv1.3", "TLSv1.3": "TLSv1.2"}


def _file(cluster, name):
    return yaml.safe_load(registry_pods.file(cluster, "envoy", name))


def _dumps(cluster):
    """What each Envoy that runs holds."""

    def read(pod):
        return json.loads(port_forward.get(cluster, registry_pods.NAMESPACE, pod, ADMIN, "/config_dump").body)

    return {
        pod: cluster.once(f"config_dump {pod}", lambda pod=pod: read(pod)) for pod in registry_pods.running(cluster)
    }


def _settings(control, observation, cluster):
    """Compare what the file means and what each Envoy runs with; the problems."""
    wanted, at_most = control.expected.get("settings", {}), control.expected.get("at_most", {})
    observation.file, observation.runtime, problems = {}, {}, []
    found = {"the file envoy.yaml": facts(_file(cluster, "envoy.yaml"))}
    running = {pod: facts(running_bootstrap(dump)) for pod, dump in _dumps(cluster).items()}
    for source, seen in {**found, **running}.items():
        shown = {name: seen[name] for name in (*wanted, *at_most) if name in seen}
        if source in running:
            observation.runtime[source] = shown
        else:
            observation.file = shown
        problems += differences(wanted, seen, source=source)
        problems += [
            f"{name} is {seen.get(name)} in {source}, expected at most {most}"
            for name, most in at_most.items()
            if not isinstance(seen.get(name), int | float) or seen[name] > most
        ]
    return problems if running else [*problems, "no registry pod runs"]


def _places(control, cluster, target=None):
    """Every address and port of the edge; of a node those of its own."""
    found = [str(target.address)] if isinstance(target, FleetHost) else edge.addresses(cluster)
    return [(address, port) for address in found for port in control.expected["ports"]]


def test_settings(control, observation, cluster):
    """The file has these settings, and every Envoy runs with them."""
    require(_settings(control, observation, cluster))


def test_tls(control, observation, cluster):
    """Every port takes these versions and cipher suites only, and the file asks for no less."""
    expected = control.expected
    meant = facts(_file(cluster, "envoy.yaml"))
    observation.file = {name: meant[name] for name in expected["minimum"]}
    problems = [
        f"{name} is {meant[name]} in the file envoy.yaml"
        for name, allowed in expected["minimum"].items()
        if meant[name] not in allowed
    ]
    observation.runtime = {}
    for address, port in _places(control, cluster):
        place = f"{address}:{port}"
        answers = {
            version: tls.attempt(address, port, tls.client(known))["answer"] for version, known in tls.VERSIONS.items()
        }
        suites = tls.suites(address, port)
        observation.runtime[place] = {"versions": answers, "ciphers_of_tls_1_2": suites}
        problems += differences(expected["versions"], answers, source=f"TLS at {place}")
        extra = sorted(set(suites) - set(expected["ciphers_of_tls_1_2"]))
        problems += [f"{place} takes the cipher suite {name}" for name in extra]
    require(problems)


def test_certificate(control, observation, cluster, target):
    """Every port shows the newest certificate of the edge, which leads to the fleet's root and lives for hours."""
    expected = control.expected
    declared = cluster.read("Certificate", "cert-manager.io/v1", "edge", registry_pods.NAMESPACE)["spec"]
    observation.file = {name: declared.get(name) for name in ("dnsNames", "uris", "duration")}
    authority = edge.secret(cluster, "fleet-root", "ca.crt")
    newest = x509.load_pem_x509_certificate(edge.secret(cluster, "edge", "tls.crt"))
    is_new = datetime.now(UTC) - newest.not_valid_before_utc < ON_ITS_WAY
    observation.runtime, problems = {}, []
    for address, port in _places(control, cluster, target):
        place = f"{address}:{port}"
        shown = edge.shown(address, port, authority, declared["dnsNames"][0])
        observation.runtime[place] = {
            "trusted": shown.trusted,
            "names": sorted(shown.names),
            "identities": sorted(shown.identities),
            "lifetime": str(shown.lifetime),
            "ends": shown.ends.isoformat(),
        }
        if shown.trusted != "yes":
            problems.append(f"the certificate at {place} is not trusted: {shown.trusted}")
        if shown.serial != newest.serial_number and not is_new:
            problems.append(f"{place} does not show the certificate in the Secret edge")
        if shown.lifetime > timedelta(hours=expected["hours"]) + CLOCKS:
            problems.append(f"the certificate at {place} lives for {shown.lifetime}")
        if shown.ends < datetime.now(UTC):
            problems.append(f"the certificate at {place} has ended")
        if sorted(shown.names) != sorted(declared["dnsNames"]):
            problems.append(f"the certificate at {place} is for {', '.join(sorted(shown.names))}")
        if not all(name.endswith(expected["identity"]) for name in shown.identities) or len(shown.identities) != 1:
            problems.append(f"the certificate at {place} says {', '.join(sorted(shown.identities)) or 'no identity'}")
    require(problems)


def _strangers(cluster, control):
    """Requests without a token and with one that nobody has signed, to every port; made once for all checks."""

    def ask():
        forged = f"eyJhbGciOiJub25lIn0.eyJyb2xlcyI6W119.{secrets.token_hex(16)}"
        asked = [
            (
                f"{who} at {address}:{port}",
                edge.ask(address, port, f"/v1/{forged[-32:]}?secret={forged[-32:]}", headers=headers),
            )
            for address, port in _places(control, cluster)
            for who, headers in {"nobody": {}, "a forger": {"Authorization": f"Bearer {forged}"}}.items()
        ]
        return forged, asked

    return cluster.once("strangers at the edge", ask)


def test_tokens(control, observation, cluster):
    """The file and the running Envoy ask everybody for a token; who brings none, or a forged one, is answered 401."""
    problems = _settings(control, observation, cluster)
    _, asked = _strangers(cluster, control)
    observation.runtime["answers"] = {who: one.status for who, one in asked}
    require(
        [
            *problems,
            *(
                f"{who} is answered {one.status}, expected {control.expected['status']}"
                for who, one in asked
                if one.status != control.expected["status"]
            ),
        ]
    )


def test_records(control, observation, cluster):
    """A refused request leaves one record, which says what happened and nothing that is secret."""
    expected = control.expected
    problems = _settings(control, observation, cluster)
    meant = facts(_file(cluster, "envoy.yaml"))
    for listener in expected["listeners"]:
        fields = meant[f"{listener}.record"]
        observation.file[f"{listener}.record"] = sorted(fields)
        problems += [
            f"{name} is missing in the record of {listener}" for name in expected["fields"] if name not in fields
        ]
        problems += [
            f"{name} of the record of {listener} holds {word}"
            for name, template in fields.items()
            for word in expected["never"]
            if word in template
        ]
    forged, asked = _strangers(cluster, control)
    found = edge.records(cluster, [one for _, one in asked])
    for who, one in asked:
        written = found[one.identity]
        observation.runtime[who] = [
            {name: record[name] for name in ("status", "reason", "route")} for record in written
        ]
        problems += [f"{len(written)} records tell of {who}"] if len(written) != 1 else []
        problems += [
            f"the record of {who} says {record['status']}" for record in written if record["status"] != one.status
        ]
    for container in ("envoy", "opa"):
        if forged[-32:] in edge.log(cluster, container):
            problems.append(f"what a client sent in its path or token stands in the log of {container}")
    require(problems)


def test_unregistered(control, observation, cluster):
    """The last route answers 404 to everything, the others are for one method each; who has a token meets that."""
    file = routes_of(_file(cluster, "routes.yaml"))
    running = {pod: running_routes(dump, "apis") for pod, dump in _dumps(cluster).items()}
    observation.file, observation.runtime = file, dict(running)
    last, problems = control.expected["last"], []
    for source, routes in {"the file routes.yaml": file, **running}.items():
        if not routes or routes[-1] != last:
            problems.append(f"the last route in {source} is {routes[-1] if routes else 'not there'}, expected {last}")
        problems += [
            f"{one['name']} is routed for any method in {source}" for one in routes[:-1] if one["method"] == "any"
        ]
        problems += [f"{source} has other routes than the file"] if routes != file else []
    if cluster.person is not None:
        headers = {"Authorization": f"Bearer {cluster.person(control.expected['person'])}"}
        for address, port in _places(control, cluster):
            asked = edge.ask(address, port, f"/{secrets.token_hex(8)}", headers=headers)
            written = edge.records(cluster, [asked])[asked.identity]
            observation.runtime[f"{address}:{port}"] = {
                "status": asked.status,
                "routes": [one["route"] for one in written],
            }
            if asked.status != last["leads_to"]:
                problems.append(f"an unregistered path at {address}:{port} is answered {asked.status}")
            if [one["route"] for one in written] != [last["name"]]:
                problems.append(f"the unregistered path at {address}:{port} is not recorded as such")
    require(problems)


def test_own_headers(control, observation, cluster):
    """Envoy removes its own headers from requests before anybody reads them, and the policy sees the real version."""
    problems = _settings(control, observation, cluster)
    tells = yaml.safe_load(registry_pods.file(cluster, "opa", "opa.yaml")).get("decision_logs")
    if cluster.person is not None and tells:  # only OPA's own log says what it has seen
        headers = {"Authorization": f"Bearer {cluster.person(control.expected['person'])}"}
        for address, port in _places(control, cluster):
            for version, forged in FORGED.items():
                asked = edge.ask(
                    address, port, "/", headers={**headers, control.expected["header"]: forged}, version=version
                )
                seen = edge.decided(cluster, asked).get("tls_version")
                observation.runtime[f"{version} at {address}:{port}, {forged} said"] = seen
                if seen != version:
                    problems.append(
                        f"over {version} at {address}:{port}, who says {forged} is {seen or 'nothing'} to OPA"
                    )
    require(problems)
