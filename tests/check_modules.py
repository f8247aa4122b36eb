"""The checks that a verification runs, for tests of those checks themselves."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from palisade.controls import Control

ROOT = Path(__file__).resolve().parents[1]


def checks_in(name: str) -> ModuleType:
    """The module with this name in ``tests/verify``, whose functions can be called without pytest.

    Raises:
        FileNotFoundError: there is none.
    """
    path = ROOT / "tests/verify" / f"{name}.py"
    found = importlib.util.spec_from_file_location(f"checks_of_{name}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def checks_of(control: Control) -> ModuleType:
    """The module that holds the check of a control."""
    return checks_in(Path(control.verified_by.partition("::")[0]).stem)
