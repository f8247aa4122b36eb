#!/usr/bin/env python3
# Prints the Ansible inventory of the environment whose folder links to this file: `palisade inventory` does the work.
# ruff: noqa: D100 - when this fails, Ansible's INI parser reads it too, and would take a docstring for a host

import os
import sys
from pathlib import Path

# The folder is what counts, through whatever links it is reached (Molecule makes one); this file itself is a link.
HERE = Path(__file__).parent.resolve()
PROJECT = HERE.parents[1]
# Ansible starts this file with the python3 that is first on PATH. That is not the project's interpreter when
# ansible-playbook is called by its path (.venv/bin/ansible-playbook), so nothing of the project is imported here:
# the installed command is started instead, the one of this checkout before any other.
OWN = PROJECT / ".venv" / "bin" / "palisade"
COMMAND = [str(OWN) if OWN.exists() else "palisade", "inventory", HERE.name, *sys.argv[1:]]

os.environ["PALISADE_PROJECT"] = str(PROJECT)
try:
    os.execvp(COMMAND[0], COMMAND)  # noqa: S606 - no shell is wanted
except FileNotFoundError:
    sys.exit(f"error: palisade is not installed\nwhat to do: run `uv sync --frozen` in {PROJECT}")
