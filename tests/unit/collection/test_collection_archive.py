"""What the archive of ``palisade.fleet`` holds is what its roles read, and what it cannot hold is refused clearly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(sys.executable).parent
NOT_SHIPPED = {
    "Pulumi.yaml",  # is only asked for: it marks a checkout
    "build/envoy/",  # the default of envoy_rendered, which a user of the collection sets
}
BESIDE_THE_ROLES = re.compile(r"""(?:role_path|playbook_dir)(?:\s*\}\}|\s*~\s*['"])/(?:\.\./)+([\w./-]*)""")
VARIABLE = re.compile(r"""^(\w+): "\{\{ role_path \}\}/\.\./\.\./([\w./-]+)"$""", flags=re.MULTILINE)
IN_A_VARIABLE = re.compile(r"""\{\{ (\w+) \}\}/([\w./-]+)(?=["'\s,}])|\b(\w+) ~ '/([\w./-]+)'""")
ENVOY_FILES = ("authority.yaml", "certificate.yaml", "clusters.yaml", "envoy.yaml", "routes.yaml")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as the archive has it, where Ansible looks for it."""
    built = tmp_path_factory.mktemp("built")
    command = [str(PROGRAMS / "ansible-galaxy"), "collection", "build", "--output-path", str(built)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    place = tmp_path_factory.mktemp("collections")
    (archive,) = built.glob("palisade-fleet-*.tar.gz")
    fleet = place / "ansible_collections/palisade/fleet"
    fleet.mkdir(parents=True)
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={fleet}"], check=True)
    return place


@pytest.fixture(scope="module")
def shipped(installed: Path) -> Path:
    return installed / "ansible_collections/palisade/fleet"


def texts(folder: Path) -> Iterator[str]:
    """The text of everything that Ansible reads as YAML."""
    for path in sorted(folder.rglob("*.yml")):
        yield path.read_text(encoding="utf-8")


def missing(shipped: Path) -> set[str]:
    """What roles and playbooks read beside themselves, and the archive has not."""
    found = {name for text in texts(shipped) for name in BESIDE_THE_ROLES.findall(text)}
    for role in (shipped / "roles").iterdir():
        folders = {name: folder for text in texts(role) for name, folder in VARIABLE.findall(text)}
        pairs = (pair for text in texts(role) for pair in IN_A_VARIABLE.findall(text))
        found |= {
            f"{folders[braced or joined]}/{file or other}"
            for braced, file, joined, other in pairs
            if (braced or joined) in folders
        }
    assert {"policies/opa/system/log/log.rego", "templates/firewall/firewall.nft.j2"} <= found
    return {name for name in found if not (shipped / name).exists()}


def test_what_roles_read_beside_themselves_is_in_the_archive(shipped: Path) -> None:
    assert missing(shipped) == NOT_SHIPPED


def test_playbooks_name_playbooks_and_roles_of_the_archive(shipped: Path) -> None:
    roles = {path.name for path in (shipped / "roles").iterdir()}
    for path in (shipped / "harden.yml", *(shipped / "playbooks").iterdir()):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            other = play.get("ansible.builtin.import_playbook")
            assert other is None or (path.parent / other).is_file(), path
            for task in play.get("tasks", ()):
                role = task.get("ansible.builtin.import_role") or task.get("ansible.builtin.include_role")
                names = task["loop"] if role and role["name"] == "{{ role }}" else [role["name"]] if role else []
                assert set(names) <= roles, path


def test_of_the_policies_only_those_of_opa_are_in_the_archive(shipped: Path) -> None:
    policies = shipped / "policies"
    files = {str(path.relative_to(policies)) for path in policies.rglob("*") if path.is_file()}
    assert files == {"opa/system/authz/authz.rego", "opa/system/log/log.rego"}


def ansible(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on this machine; nothing of the checkout is looked at unless a variable says so."""
    return subprocess.run(
        [str(PROGRAMS / "ansible-playbook"), "--inventory", str(directory / "hosts.yml"), *arguments],
        cwd=directory,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    """A folder with an inventory of one registry host, an authority and a play that asks for a role's preflight."""
    documents: Mapping[str, object] = {
        "hosts.yml": {"registry": {"hosts": {"registry-1": {"ansible_connection": "local"}}}},
        "preflight.yml": [
            {
                "hosts": "registry",
                "gather_facts": False,
                "tasks": [
                    {"ansible.builtin.include_role": {"name": "{{ namespace }}envoy", "tasks_from": "preflight"}},
                ],
                "vars": {"palisade_environment": "prod", "envoy_issuer_certificate_file": str(tmp_path / "ca.crt")},
            }
        ],
    }
    for name, document in documents.items():
        (tmp_path / name).write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "ca.crt").touch()
    return tmp_path


def test_the_collection_is_told_where_the_files_of_envoy_are(controller: Path, installed: Path) -> None:
    folder = controller / "rendered"
    folder.mkdir()
    for name in ENVOY_FILES[:-1]:
        (folder / name).touch()
    command = ("preflight.yml", "--extra-vars", f"namespace=palisade.fleet. envoy_rendered={folder}")
    refused = ansible(controller, *command, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split() + refused.stderr.split())
    assert f"envoy_rendered is {folder}, where {ENVOY_FILES[-1]} is missing." in said
    assert "palisade access files prod --kind host --directory <folder>. Nothing was changed." in said

    (folder / ENVOY_FILES[-1]).touch()
    accepted = ansible(controller, *command, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr


def test_a_checkout_renders_them_itself(controller: Path) -> None:
    command = ("preflight.yml", "--extra-vars", f"namespace= envoy_rendered={controller / 'not-yet'}")
    accepted = ansible(controller, *command, ANSIBLE_ROLES_PATH=str(ROOT / "roles"))
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert "Unable to find" not in accepted.stdout + accepted.stderr


def test_a_controller_without_palisade_is_told_so(controller: Path, installed: Path) -> None:
    refused = ansible(
        controller,
        "palisade.fleet.registry_standalone",
        "--extra-vars",
        "palisade_environment=prod ansible_become=false",
        ANSIBLE_COLLECTIONS_PATH=str(installed),
        PATH="/usr/bin:/bin",
    )
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split() + refused.stderr.split())
    assert "The command palisade is not on PATH of this machine" in said
