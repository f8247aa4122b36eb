"""``palisade render ENV --fluentd DIRECTORY``, and values that would break the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.fluentd.rendering import literal
from palisade.fluentd.samples import VARIANTS

ROOT = Path(__file__).parents[3]


def test_a_sample_of_every_variant_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(application, ["render", "prod", "--fluentd", str(tmp_path / "out")])
    assert result.exit_code == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written >= {f"sample-{name}.conf" for name in VARIANTS}
    assert sorted(result.stdout.split()) == sorted(str(tmp_path / "out" / name) for name in written)


@pytest.mark.parametrize("value", ["it's", "a\\b", "a\nb"])
def test_a_value_that_would_end_its_quotes_is_no_value(value: str) -> None:
    with pytest.raises(ValueError, match=re.escape(value)):
        literal(value)
