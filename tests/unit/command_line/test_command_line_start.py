"""What the command line loads before it knows what is asked for: everybody waits for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("hvac", "kubernetes", "pulumi", "pytest", "testinfra")
PROGRAM = f"""
import sys
from palisade.__main__ import main

sys.argv = ["palisade", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *(name for name in {SLOW!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("command", [(), ("verify",), ("prove",), ("vault", "apply"), ("bundle", "build")])
def test_help_does_not_load_what_only_the_work_needs(command: tuple[str, ...]) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command, "--help"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    assert "Usage: palisade" in asked.stdout
    assert asked.stderr.splitlines()[-1] == "loaded:"
