from __future__ import annotations

import sys
from pathlib import Path

import pytest

from palisade.errors import ConfigurationError
from palisade.playbook import play

pytestmark = pytest.mark.slow

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Say something
      ansible.builtin.debug:
        msg: hello
    - name: Change something
      ansible.builtin.command: "true"
      changed_when: true
    - name: Ask {{ 'twice' }}
      ansible.builtin.assert:
        that: wanted | default(true) | bool
        fail_msg: this is not wanted
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "inventories/test").mkdir(parents=True)
    (tmp_path / "inventories/test/hosts").write_text(
        f"here ansible_connection=local ansible_python_interpreter={sys.executable}\n", encoding="utf-8"
    )
    (tmp_path / "site.yml").write_text(PLAYBOOK, encoding="ascii")
    return tmp_path


def test_a_playbook_tells_its_tasks_while_it_runs_and_its_changes_at_the_end(checkout: Path) -> None:
    told: list[str] = []
    played = play(checkout, "test", "site.yml", on_task=told.append)
    assert played.succeeded, played.output
    assert told == ["Say something", "Change something", "Ask twice"]
    assert played.changed == 1


def test_a_playbook_that_fails_says_on_which_host_and_why(checkout: Path) -> None:
    played = play(checkout, "test", "site.yml", arguments=["--extra-vars", "wanted=false"])
    assert not played.succeeded
    assert "this is not wanted" in played.failures
    assert "here" in played.failures
    assert "Say something" not in played.failures


def test_an_environment_without_inventory_is_refused_with_the_way_to_make_one(checkout: Path) -> None:
    with pytest.raises(ConfigurationError, match="The environment other has no inventory") as refused:
        play(checkout, "other", "site.yml")
    assert (refused.value.remedy or "").endswith(f"ln -s ../fleet.py {checkout}/inventories/other/fleet.py")
