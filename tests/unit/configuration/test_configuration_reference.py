"""The reference page is made from the model and cannot go stale."""

from __future__ import annotations

from configuration_samples import PROJECT_ROOT

from palisade.config_reference import reference


def test_the_page_in_docs_is_what_the_model_says() -> None:
    page = PROJECT_ROOT / "docs" / "reference" / "configuration.md"
    command = "python -m palisade.config_reference > docs/reference/configuration.md"
    assert page.read_text(encoding="utf-8") == reference(), f"stale; run: {command}"


def test_every_key_has_words_for_what_is_allowed_and_what_it_is() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    for key, allowed, default, meaning in rows:
        assert allowed.strip(), key
        assert default.strip(), key
        assert len(meaning.strip(" |")) > 10, key
