"""Templates of roles, rendered by Ansible; the firewall's is loaded by nft in a network namespace of its own."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_play import ROOT, play, role_variables

from palisade.verification.nftables import RuleSet

RESOLVER = "10.0.1.53"
"""The name server that every host asks."""


def loaded(directory: Path, inventory: Mapping[str, Any]) -> dict[str, RuleSet]:
    """The rules of each host as the kernel takes them.

    Args:
        directory: For files in between.
        inventory: As ``ansible-inventory --list`` prints it.
    """
    files = rendered(directory, inventory, role="firewall", template="firewall.nft.j2")
    return {name: _rule_set(file) for name, file in files.items()}


def rendered(directory: Path, inventory: Mapping[str, Any], *, role: str, template: str) -> dict[str, Path]:
    """A template as each host of the inventory gets it, with the role's defaults."""
    script = directory / "inventory"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(inventory)}\nEND\n", encoding="utf-8")
    script.chmod(0o700)
    source, place = ROOT / "templates" / role / template, f"{directory}/{{{{ inventory_hostname }}}}.{template}"
    file = {"src": str(source), "dest": place, "mode": "0600", "lstrip_blocks": True}
    tasks = [{"ansible.builtin.template": file}]
    given = json.dumps({"firewall_resolvers": [RESOLVER]})
    document = {"hosts": "all", "vars_files": role_variables(role), "tasks": tasks}
    play(directory, document, "--extra-vars", given, inventory=str(script))
    return {name: directory / f"{name}.{template}" for name in inventory["_meta"]["hostvars"]}


def _rule_set(rules: Path) -> RuleSet:
    load = f"nft --file {rules} && nft --json list table inet palisade"
    isolated = ["unshare", "--map-root-user", "--net", "sh", "-c", load]
    listed = subprocess.run(isolated, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    ports = re.sub(r'"0x([0-9a-f]+) \[invalid type\]"', lambda found: str(int(found[1], 16)), listed.stdout)
    return RuleSet.parse(json.loads(ports, object_hook=_as_debian_13), family="inet", table="palisade")


def _as_debian_13(node: dict[str, Any]) -> dict[str, Any]:
    """The hosts have nft of Debian 13; that of Debian 12 writes ports of connections and masks of flags otherwise."""
    match node:
        case {"&": [value, list(flags)]}:
            return {"&": [value, {"|": flags}]}
        case _:
            return node
