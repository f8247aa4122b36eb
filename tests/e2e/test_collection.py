"""The roles as the collection ``palisade.fleet``: built, installed elsewhere and run from there."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from conftest import ROOT, recap, run

pytestmark = pytest.mark.usefixtures("fleet")


def test_the_installed_collection_hardens_like_the_checkout(tmp_path: Path) -> None:
    built = run("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path))
    assert built.returncode == 0, built.stderr
    archive = next(tmp_path.glob("palisade-fleet-*.tar.gz"))
    with tarfile.open(archive) as opened:
        names = set(opened.getnames())
    assert {"harden.yml", "roles/firewall/tasks/main.yml", "templates/firewall/firewall.nft.j2"} <= names
    assert not {name.split("/")[0] for name in names} & {"palisade", "tests", ".git", "evidence", "inventories"}

    # Forced: a copy that a linter has put elsewhere would count as installed.
    install = ("ansible-galaxy", "collection", "install", "--force", str(archive), "--collections-path", str(tmp_path))
    installed = run(*install)
    assert installed.returncode == 0, installed.stderr
    # Nothing of the checkout is looked at: another configuration, no roles path.
    settings = tmp_path / "ansible.cfg"
    settings.write_text("[ssh_connection]\npipelining = true\n")
    hardened = run(
        "ansible-playbook",
        "--inventory",
        str(ROOT / "inventories" / "local"),
        "--limit",
        "db-1",
        "palisade.fleet.harden",
        variables={
            "ANSIBLE_CONFIG": str(settings),
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_ROLES_PATH": str(tmp_path),
        },
    )
    assert hardened.returncode == 0, hardened.stdout[-4000:]
    line = recap(hardened.stdout)["db-1"]
    assert (line.changed, line.failed) == (0, 0), "the same roles with the same templates find nothing to do"
