"""The host of Vault: what the server answers, what its process may do, and what lies beside it."""

import json
import secrets

from palisade.verification.check import differences, require
from palisade.verification.files import text_of, unit_properties

CONFIGURATION = "/etc/palisade/vault/vault.hcl"
AUTHORITY = "/etc/palisade/vault/keys/ca.crt"
PORT = "8200"
# What tokens look like: of OpenBao 2 and of HashiCorp Vault.
TOKENS = r"\b(s\.[A-Za-z0-9]{24}|hvs\.[A-Za-z0-9_-]{24,})\b"


def _answers(readings):
    """Asked once for all checks; the token is nobody's, and both names can be found again in the audit log."""

    def ask():
        token, path = f"s.{secrets.token_hex(12)}", f"secret/data/palisade-verify-{secrets.token_hex(4)}"
        found = readings.probe("vault_request", str(readings.target.address), PORT, AUTHORITY, token, path)
        return found | {"token": token, "path": path}

    return readings.once("answers of vault", ask)


def test_tls(control, observation, readings):
    """It takes these versions of TLS, its certificate is the authority's, and without TLS it gives no answer."""
    expected = control.expected
    server = expected["server"].format(address=readings.target.address)
    found = readings.probe("tls", *server.rsplit(":", 1), expected["authority"])
    observation.file = [line.strip() for line in text_of(readings, CONFIGURATION).splitlines() if "tls" in line]
    observation.runtime = {
        "versions": {version: answer["answer"] for version, answer in found["versions"].items()},
        "trusted": found["trusted"],
        "without_tls": _answers(readings)["without_tls"],
    }
    wanted = {name: expected[name] for name in observation.runtime}
    problems = [f"{CONFIGURATION} says {line!r}" for line in observation.file if line.startswith("tls_disable")]
    require([*problems, *differences(wanted, observation.runtime, source=f"the answers at {server}")])


def test_audited(control, observation, readings):
    """A request that was just refused stands in the audit log, and its token does not."""
    made, expected = _answers(readings), control.expected
    # Vault writes the token as a keyed digest.
    lines = readings.output(f"grep --no-filename {made['path']} {expected['log']} || true").splitlines()
    entries = [json.loads(line) for line in lines]
    observation.runtime = {
        "status": made["refused"],
        "types": sorted({entry["type"] for entry in entries}),
        "token_readable": readings.status_and_output(f"grep --quiet {made['token']} {expected['log']}")[0] == 0,
    }
    wanted = {name: expected[name] for name in observation.runtime}
    require(differences(wanted, observation.runtime, source=f"a request and {expected['log']}"))


def test_confined(control, observation, readings):
    """The unit asks for it, and the process that runs has it."""
    unit, expected = control.expected["unit"], control.expected
    text = readings.output(f"systemctl cat --no-pager {unit}")
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    observation.file = {name: settings[name] for name in expected["settings"] if name in settings}
    process = readings.output(f"systemctl show --property=MainPID --value {unit}").strip()
    words = dict(line.split(":", 1) for line in text_of(readings, f"/proc/{process}/status").splitlines())
    status = {name: value.split() for name, value in words.items()}
    limits = text_of(readings, f"/proc/{process}/limits").splitlines()
    observation.runtime = {
        "user": readings.output(f"stat --format=%U /proc/{process}").strip(),
        "capabilities": status["CapBnd"][0],
        "no_new_privileges": status["NoNewPrivs"][0],
        "system_calls": "filtered" if status["Seccomp"][0] == "2" else "all",
        "core_dump_bytes": next(line.split()[5] for line in limits if line.startswith("Max core file size")),
        "swapped_kib": status["VmSwap"][0],
    }
    require(
        [
            *differences(expected["settings"], observation.file, source=f"the file of {unit}"),
            *differences(expected["process"], observation.runtime, source="the running process"),
        ]
    )


def test_no_token(control, observation, readings):
    """Nothing that looks like a token is in these folders."""
    folders = " ".join(control.expected["folders"])
    found = readings.output(
        f"grep --recursive --files-with-matches --perl-regexp '{TOKENS}' {folders} 2>/dev/null || true"
    )
    observation.file = found.splitlines()
    require(f"{path} holds a token" for path in observation.file)


def test_unsealed(control, observation, readings):
    """It starts with the host, is unsealed now, and nobody had to type a key for it."""
    expected = control.expected
    found = unit_properties(readings, "vault.service")
    observation.file = {"UnitFileState": found.get("UnitFileState", "")}
    status = _answers(readings)["seal"] or {}
    observation.runtime = {name: status.get(name) for name in expected["status"]} | {
        "ActiveState": found["ActiveState"]
    }
    require(
        [
            *differences(expected["unit"], found, source="vault.service"),
            *differences(expected["status"], status, source="what Vault says about its seal"),
        ]
    )
