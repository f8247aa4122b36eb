"""What is inside Vault, read with the rights of a verifier."""

import re
from pathlib import Path

from palisade.verification.check import differences, require

ROOT = Path(__file__).resolve().parents[2]
POLICIES = "sys/policies/acl"


def _declared(control):
    """Where it is declared; that this file is there is what of it can be seen without Vault."""
    path = f"policies/vault/{control.implemented_by.vault}.yaml"
    return path if (ROOT / path).is_file() else None


def test_roles(control, observation, vault):
    """Every entry of these lists has these settings and limits, and where names are given, the list has no others."""
    observation.file, observation.runtime, problems = _declared(control), {}, []
    for path, wanted in control.expected["lists"].items():
        names, limits = vault.names(path), wanted.get("at_most", {})
        for name in names:
            found = vault.read(f"{path}/{name}") or {}
            observation.runtime[f"{path}/{name}"] = {key: found.get(key) for key in (*wanted["settings"], *limits)}
            problems += differences(wanted["settings"], found, source=f"{path}/{name}")
            problems += [
                f"{key} is {found.get(key)!r} in {path}/{name}, expected 1 to {limit}"
                for key, limit in limits.items()
                if not 1 <= (found.get(key) or 0) <= limit
            ]
        if "names" in wanted and names != sorted(wanted["names"]):
            problems.append(
                f"{path} has {', '.join(names) or 'nothing'}, expected {', '.join(sorted(wanted['names']))}"
            )
    require(problems)


def test_mounts(control, observation, vault, cluster):
    """Engines and logins are of these types; in the Vault of a local fleet nothing else is mounted."""
    expected, is_local = control.expected, cluster.access.is_local
    observation.file, observation.runtime, problems = _declared(control), {}, []
    for path, always in expected["mounts"].items():
        named = {**always, **(expected["only_local"].get(path, {}) if is_local else {})}
        wanted = {f"{vault.path(name)}/": kind for name, kind in named.items()}
        found = {name: one["type"] for name, one in (vault.read(path) or {}).items() if name not in expected["own"]}
        observation.runtime[path] = found
        problems += differences(wanted, found, source=path)
        others = {name: kind for name, kind in found.items() if name not in wanted} if is_local else {}
        problems += [f"{name} of the type {kind} is mounted in {path}" for name, kind in others.items()]
    require(problems)


def test_policies(control, observation, vault):
    """The policies are these; none is about every path, and only the named ones have the right ``sudo``."""
    expected = control.expected
    names = [name for name in vault.names(POLICIES) if name.startswith(expected["prefix"])]
    observation.file, observation.runtime, problems = _declared(control), names, []
    problems += [
        f"there is a policy {name}" for name in names if not any(re.fullmatch(one, name) for one in expected["names"])
    ]
    for name in names:
        text = (vault.read(f"{POLICIES}/{name}") or {}).get("policy", "")
        paths = re.findall(r'path\s+"([^"]+)"\s*\{([^}]*)\}', text)
        problems += [f"{name} is about every path" for path, _ in paths if path.strip("/") in {"*", "+", "+/*"}]
        problems += [
            f"{name} may do with sudo what is at {path}"
            for path, rights in paths
            if '"sudo"' in rights and name not in expected["with_sudo"]
        ]
    require(problems if names else [*problems, f"no policy begins with {expected['prefix']}"])
