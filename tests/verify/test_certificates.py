"""Certificates of the platform: who signs them, how long they live, who could read their keys."""

import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from palisade.verification.check import require

CERT_MANAGER = "cert-manager.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"
DEFAULT_DURATION = "2160h"
"""What cert-manager asks for when nothing is said: 90 days."""
CLOCKS = timedelta(minutes=1)
"""How far a certificate may begin before it was asked for, so that clocks may differ."""
READING = {"get", "list", "watch", "*"}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _certificates(control, cluster):
    found = cluster.objects("Certificate", CERT_MANAGER)
    return [one for one in found if one["metadata"]["namespace"] in control.expected["namespaces"]]


def _name(one):
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


def _condition(one, kind):
    conditions = (one.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def _duration(text):
    """A duration as Go writes it: ``24h0m0s``."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def _time(text):
    return datetime.fromisoformat(text)


def test_issuers(control, observation, cluster):
    """Every certificate names an issuer that is Vault, reached over TLS, and works."""
    issuers = {
        f"{kind} {one['metadata']['name']}": one
        for kind in ("ClusterIssuer", "Issuer")
        for one in cluster.objects(kind, CERT_MANAGER)
    }
    observation.runtime = {
        _name(one): f"{one['spec']['issuerRef'].get('kind', 'Issuer')} {one['spec']['issuerRef']['name']}"
        for one in _certificates(control, cluster)
    }
    problems = [
        f"{name} is signed by {issuer}"
        for name, issuer in observation.runtime.items()
        if issuer not in control.expected["issuers"]
    ]
    for name in control.expected["issuers"]:
        issuer = issuers.get(name)
        if issuer is None:
            problems.append(f"there is no {name}")
            continue
        vault = issuer["spec"].get("vault") or {}
        if not vault.get("server", "").startswith("https://"):
            problems.append(f"{name} is not Vault over TLS")
        ready = _condition(issuer, "Ready")
        if ready.get("status") != "True":
            problems.append(f"{name} is not ready: {ready.get('message', 'nothing is said')}")
    require(problems)


def test_lifetimes(control, observation, cluster):
    """No certificate is asked for, or was issued, for longer than this."""
    most = timedelta(hours=control.expected["hours"])
    problems = []
    observation.runtime = {}
    for one in _certificates(control, cluster):
        asked = _duration(one["spec"].get("duration") or DEFAULT_DURATION)
        status = one.get("status") or {}
        issued = _time(status["notAfter"]) - _time(status["notBefore"]) if "notAfter" in status else timedelta()
        observation.runtime[_name(one)] = {"asked": str(asked), "issued": str(issued)}
        if asked > most:
            problems.append(f"{_name(one)} is asked for {asked}")
        if issued > most + CLOCKS:
            problems.append(f"{_name(one)} was issued for {issued}")
    require(problems)


def test_rotation(control, observation, cluster):
    """Each certificate gets a new key with every renewal."""
    observation.runtime = {
        _name(one): (one["spec"].get("privateKey") or {}).get("rotationPolicy", "not set")
        for one in _certificates(control, cluster)
    }
    wanted = control.expected["policy"]
    require(f"{name}: {policy}" for name, policy in observation.runtime.items() if policy != wanted)


def test_valid(control, observation, cluster):
    """The certificate is ready, not past its end, and not past the time of its renewal."""
    name = f"{control.expected['namespace']}/{control.expected['certificate']}"
    found = next((one for one in cluster.objects("Certificate", CERT_MANAGER) if _name(one) == name), None)
    status = (found or {}).get("status") or {}
    observation.runtime = {key: status[key] for key in ("notBefore", "notAfter", "renewalTime") if key in status}
    require([] if found else [f"there is no certificate {name}"])
    ready, now = _condition(found, "Ready"), datetime.now(UTC)
    problems = [] if ready.get("status") == "True" else [f"it is not ready: {ready.get('message', 'nothing is said')}"]
    if "renewalTime" in status and _time(status["renewalTime"]) + timedelta(hours=1) < now:
        problems.append(f"it should have been renewed at {status['renewalTime']}")
    if "notAfter" in status and _time(status["notAfter"]) < now:
        problems.append(f"it has ended at {status['notAfter']}")
    require(problems)


def test_readers(control, observation, cluster):
    """Exactly these may read Secrets of a namespace, by roles of the cluster or of the namespace."""
    namespace = control.expected["namespace"]
    roles = {("ClusterRole", one["metadata"]["name"]): one for one in cluster.objects("ClusterRole", RBAC)}
    own = cluster.objects("Role", RBAC, namespace=namespace)
    roles.update({("Role", one["metadata"]["name"]): one for one in own})
    readable = {key for key, role in roles.items() if _reads_secrets(role)}
    bindings = [
        *cluster.objects("ClusterRoleBinding", RBAC),
        *cluster.objects("RoleBinding", RBAC, namespace=namespace),
    ]
    found = {
        _subject(subject)
        for binding in bindings
        if (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in readable
        for subject in binding.get("subjects") or ()
    }
    patterns = control.expected["control_plane"]
    observation.runtime = sorted(name for name in found if not any(fnmatchcase(name, pattern) for pattern in patterns))
    wanted = control.expected["readers"]
    require(f"{name} reads Secrets of {namespace}" for name in observation.runtime if name not in wanted)


def _reads_secrets(role):
    return any(
        {"secrets", "*"} & set(rule.get("resources") or ())
        and {"", "*"} & set(rule.get("apiGroups") or ())
        and READING & set(rule.get("verbs") or ())
        for rule in role.get("rules") or ()
    )


def _subject(subject):
    place = f"{subject['namespace']}/" if subject.get("namespace") else ""
    return f"{subject['kind']} {place}{subject['name']}"
