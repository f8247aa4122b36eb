"""The tables of ``docs/performance.md``: each program here replaces the one between its own markers."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"


def machine() -> str:
    """What the figures were measured on."""
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) // 1024 // 1024  # type: ignore[union-attr]
    return f"{os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"


def write_table(marker: str, command: str, rows: Sequence[tuple[str, str]]) -> None:
    """Replace a table of the page, and print it.

    Args:
        marker: Which one: what stands between ``<!-- marker -->`` and ``<!-- /marker -->``.
        command: What measures it again.
        rows: What was measured, and the figure with its unit.

    Raises:
        SystemExit: the page has no such markers.
    """
    table = "\n".join(["| | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])
    print(table)
    stamp = f"Measured {datetime.now(UTC):%Y-%m-%d} with `{command}` on: {machine()}."
    block = f"<!-- {marker} -->\n{stamp}\n\n{table}\n<!-- /{marker} -->"
    pattern = rf"<!-- {marker} -->.*<!-- /{marker} -->"
    text, count = re.subn(pattern, lambda _: block, PAGE.read_text(), flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for this table: <!-- {marker} --> and <!-- /{marker} -->")
    PAGE.write_text(text)
