"""The programs of the control plane: what they were started with, what they answer, what they keep."""

import base64
import json
import secrets

from palisade.verification.check import differences, require
from palisade.verification.programs import expected_places, listening, running_flags, unit_flags
from palisade.verification.waiting import read_until

AUDIT_SECONDS = 5
KEYS = "/etc/palisade/cluster/keys"
STORE = ("https://127.0.0.1:2379", f"{KEYS}/etcd-ca.crt", f"{KEYS}/apiserver-etcd.crt", f"{KEYS}/apiserver-etcd.key")


def test_flags(control, observation, readings):
    """A program runs with these flags, and its unit starts it with them."""
    unit, wanted = control.expected["unit"], control.expected.get("flags", {})
    absent, present = control.expected.get("absent", []), control.expected.get("present", [])
    problems = []
    for part, found in (("file", unit_flags(readings, unit)), ("runtime", running_flags(readings, unit))):
        source = f"{unit} ({'file' if part == 'file' else 'running process'})"
        setattr(observation, part, {name: found[name] for name in (*wanted, *absent, *present) if name in found})
        problems += differences(wanted, found, source=source)
        problems += [f"{name} is set in {source}" for name in absent if name in found]
        problems += [f"{name} is not set in {source}" for name in present if name not in found]
    require(problems)


def test_listens(control, observation, readings):
    """Each program listens at these addresses, and at no other."""
    wanted = expected_places(control.expected["listens"], readings.target.address)
    found = listening(readings)
    observation.runtime = {program: found.get(program, []) for program in wanted}
    require(differences(wanted, observation.runtime, source="the host's sockets"))


def test_requests(control, observation, cluster):
    """The API server answers requests with and without a certificate with these statuses."""
    problems = []
    observation.runtime = {}
    for who in ("anonymous", "administrator"):
        wanted = control.expected.get(who, {})
        found = {path: cluster.request(path, as_administrator=who == "administrator").status for path in wanted}
        observation.runtime.update({who: found} if wanted else {})
        problems += differences(wanted, found, source=f"the answers to requests ({who})")
    require(problems)


def test_versions_of_tls(control, observation, readings):
    """A server takes these versions and cipher suites, and refuses older ones itself."""
    address = control.expected["server"].format(address=readings.target.address)
    found = readings.probe("tls", *address.rsplit(":", 1))
    observation.runtime = {
        "versions": {version: answer["answer"] for version, answer in found["versions"].items()},
        "ciphers_of_tls_1_2": found["ciphers"],
    }
    extra = sorted(set(found["ciphers"]) - set(control.expected["ciphers_of_tls_1_2"]))
    problems = differences(control.expected["versions"], observation.runtime["versions"], source=f"TLS at {address}")
    require([*problems, *(f"{address} takes the cipher suite {name}" for name in extra)])


def test_wants_a_certificate(control, observation, readings):
    """A server does not talk to who shows no certificate."""
    address = control.expected["server"].format(address=readings.target.address)
    found = readings.probe("tls", *address.rsplit(":", 1))["versions"]
    observation.runtime = {version: found[version]["answer"] for version in control.expected["versions"]}
    require(differences(control.expected["versions"], observation.runtime, source=f"answers at {address} without one"))


def _secret_that_was_there(cluster, readings):
    """Make a Secret, look for it in etcd and in the audit log, and remove it."""

    def look():
        name, content = f"palisade-verify-{secrets.token_hex(4)}", secrets.token_hex(16)
        resource = cluster.resource("Secret")
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"content": content}}
        answer = resource.create(body=body, namespace="default", serialize=False)
        try:
            stored = readings.probe("etcd_value", *STORE, f"/registry/secrets/default/{name}")
        finally:
            resource.delete(name=name, namespace="default")
        return {"content": content, "stored": base64.b64decode(stored or ""), "request": answer.headers["Audit-Id"]}

    return cluster.once("a secret that was there", look)


def test_secrets_are_encrypted(control, observation, readings, cluster):
    """A Secret that was just written is found in etcd, and cannot be read there."""
    found = _secret_that_was_there(cluster, readings)
    start = found["stored"].split(b"\x00")[0][:60].decode(errors="replace")
    observation.runtime = {"starts_with": ":".join(start.split(":")[:3])}
    readable = [found["content"].encode(), base64.b64encode(found["content"].encode())]
    problems = ["the content of the Secret stands in etcd"] if any(one in found["stored"] for one in readable) else []
    if observation.runtime["starts_with"] not in control.expected["starts_with"]:
        problems.append(f"etcd keeps a Secret that starts with {observation.runtime['starts_with']!r}")
    require(problems)


def test_audit_log(control, observation, readings, cluster):
    """A change that was just made stands in the audit log with who made it, and without the content of the Secret."""
    made = _secret_that_was_there(cluster, readings)
    log = control.expected["log"]
    observation.runtime = _audited(readings, log, made["request"])
    problems = [] if observation.runtime else [f"{log} does not have the request {made['request']}"]
    for entry in observation.runtime:
        problems += differences(control.expected["entry"], entry, source=log)
    require(problems)


def _audited(readings, log, word):
    """What the audit log says about requests with this word; it is written within moments of the answer."""
    question = f"grep --no-filename {word} {log} || true"
    lines = read_until(lambda: readings.afresh().output(question).splitlines(), bool, seconds=AUDIT_SECONDS)
    return [
        {
            "level": entry["level"],
            "verb": entry["verb"],
            "user": entry["user"]["username"],
            "resource": entry["objectRef"]["resource"],
            "status": entry["responseStatus"]["code"],
            "holds_content": "requestObject" in entry or "responseObject" in entry,
        }
        for entry in map(json.loads, lines)
    ]


def test_audit_of_a_node_that_reads(control, observation, readings, nodes):
    """A node asks for a Secret that is not its own, and the audit log has that and the refusal."""
    log, node = control.expected["log"], nodes[0]
    name = f"palisade-verify-{secrets.token_hex(4)}"
    server, path = f"https://{readings.target.address}:6443", f"/api/v1/namespaces/default/secrets/{name}"
    answers = node.probe("https_get", server, control.expected["identity"], path)
    observation.runtime = {"answers": answers, "audited": _audited(readings, log, name)}
    wanted = {**control.expected["entry"], "user": control.expected["entry"]["user"].format(node=node.target.name)}
    problems = [] if observation.runtime["audited"] else [f"{log} does not have the request of {wanted['user']}"]
    for entry in observation.runtime["audited"]:
        problems += differences(wanted, entry, source=log)
    require(problems)


def test_private_files(control, observation, readings):
    """Nobody but the owner can read or change what is below these directories."""
    problems = []
    observation.file = {}
    for directory, owner in control.expected["owners"].items():
        listed = readings.output(f"find {directory} ! -type l -printf '%m %u:%g %y %p\\n'").splitlines()
        entries = [line.split(" ", 3) for line in listed]
        observation.file[directory] = f"{len(entries)} files and directories"
        for mode, found, _, path in entries:
            if found != owner or int(mode, 8) & 0o077:
                observation.file[path] = f"{mode.zfill(4)} {found}"
                problems.append(f"{path} is {mode.zfill(4)} {found}, expected no more than 0700 {owner}")
    require(problems)
