"""The templates of the project, rendered strictly: a name that is not defined is an error, never an empty text."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def markup_environment(directory: str) -> Environment:
    """An environment for HTML or SVG: every value is escaped.

    Args:
        directory: The directory below ``templates/`` that names are looked up in.
    """
    return Environment(
        loader=FileSystemLoader(TEMPLATES / directory),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def text_environment(directory: str) -> Environment:
    """An environment for files of programs: values are written as they are.

    Args:
        directory: The directory below ``templates/`` that names are looked up in.
    """
    return Environment(
        loader=FileSystemLoader(TEMPLATES / directory),
        autoescape=False,  # noqa: S701 - no markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
