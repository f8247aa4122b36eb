"""What messages and docstrings name in docs/ is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_NAMED = re.compile(r"\bdocs/[\w/.-]+\.md\b")


def test_every_document_that_the_programs_name_is_there() -> None:
    named = {
        (str(file.relative_to(ROOT)), document)
        for folder in ("palisade", "stacks")
        for file in (ROOT / folder).rglob("*.py")
        for document in _NAMED.findall(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert [one for one in sorted(named) if not (ROOT / one[1]).is_file()] == []
