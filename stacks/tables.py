"""Reads the tables in ``stacks/data/``; a mistake is refused with its path and line."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

from palisade.validation import Section, validate
from palisade.yaml_file import read_yaml

DATA = Path(__file__).parent / "data"

TableT = TypeVar("TableT", bound=Section)


@cache
def read_table(name: str, model: type[TableT], *, directory: Path = DATA) -> TableT:
    """Read one table.

    Args:
        name: The name of the file without ``.yaml``.
        model: What the file holds.
        directory: Where the file is.

    Raises:
        ConfigurationError: the file is refused, with every problem and its line.
    """
    path = directory / f"{name}.yaml"
    document = read_yaml(path)
    return validate(model, document.value, file=f"stacks/data/{path.name}", at=name, lines=document.lines)
