"""The reference of the configuration, made from the model: ``python -m palisade.config_reference``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from palisade.config import FleetSettings
from palisade.validation import Section, section_of, words_for

_HEADING = """\
# Reference of the fleet configuration

Generated from `palisade/config.py` by `python -m palisade.config_reference > docs/reference/configuration.md`; a test
fails when this page is stale. How to use it: [configuration](../configuration.md).

Everything stands under `config: palisade:fleet:` in `Pulumi.<environment>.yaml`. Keys that are not named here are
refused.
"""


def reference() -> str:
    """The whole page as Markdown; the same model gives the same bytes."""
    return "\n".join([_HEADING, *_table(FleetSettings, "")])


def _table(section: type[Section], path: str) -> Iterator[str]:
    yield "| key | allowed | default | what it is |"
    yield "|---|---|---|---|"
    for name, field in section.model_fields.items():
        cells = (f"`{path}{name}`", _escaped(words_for(field)), _default(field), _escaped(field.description or ""))
        yield f"| {' | '.join(cells)} |"
    yield ""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        if inner is not None:
            yield f"## {path}{name}"
            yield ""
            yield _escaped(inner.__doc__ or "")
            yield ""
            yield from _table(inner, f"{path}{_name_in_path(name, field)}.")


def _name_in_path(name: str, field: FieldInfo) -> str:
    annotation = str(field.annotation)
    if "tuple[" in annotation:
        return f"{name}.<number>"
    return f"{name}.<name>" if "Mapping[" in annotation else name


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "see right" if field.default_factory else "required"
    if field.default is None:
        return "absent"
    return "as below" if isinstance(field.default, Section) else f"`{field.default}`"


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("``", "`").split())


if __name__ == "__main__":
    sys.stdout.write(reference())
