"""Turns what a model refuses into errors that people can act on: the path, the value, what is allowed, what to do.

A value type says in words what it allows (:class:`Allowed`); the same words appear in the error and in the reference
of the configuration, so they cannot contradict each other.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidatorFunctionWrapHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from palisade.errors import ConfigurationError
from palisade.yaml_file import KeyPath

_SHOWN_CHARACTERS = 80


class Section(BaseModel):
    """A part of a file that people write: no unknown keys, no change after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


ModelT = TypeVar("ModelT", bound=Section)


@dataclass(frozen=True)
class Problem:
    """One thing that is refused."""

    path: KeyPath
    """Where, from the section that found it; the caller puts its own path in front."""
    what: str
    allowed: str = ""
    remedy: str = ""


class RefusedError(ValueError):
    """Raised by validators: one or more problems, each with its own path."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.what for problem in problems))
        self.problems = problems


def refuse(problems: Iterable[Problem]) -> None:
    """Raise if there is any problem.

    Raises:
        RefusedError: with all of them.
    """
    found = tuple(problems)
    if found:
        raise RefusedError(*found)


@dataclass(frozen=True)
class Allowed:
    """Metadata for ``Annotated``: what a value may be, in words and as a test.

    Args:
        words: What is allowed, with its unit.
        types: What the file may hold there. A number in quotes is not a number.
        test: Whether the parsed value is allowed.
        remedy: What to do about a refused value.
        unit: The unit of a number, as it is shown beside it.
    """

    words: str
    types: tuple[type, ...] = (str,)
    test: Callable[[Any], bool] = lambda _: True
    remedy: str = ""
    unit: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with the type's own schema, and replace its errors by this one."""
        return core_schema.no_info_wrap_validator_function(self._validate, handler(source))

    def _validate(self, value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
        refused = RefusedError(Problem((), f"{_shown(value)} is not allowed.", self.words, self.remedy))
        if type(value) not in self.types:
            raise refused
        try:
            parsed = parse(value)
        except ValidationError as error:
            raise refused from error
        if not self.test(parsed):
            raise refused
        return parsed


def whole_number(minimum: int, maximum: int, unit: str) -> Allowed:
    """A whole number within bounds (both allowed)."""
    return Allowed(
        words=f"a whole number of {unit} from {minimum:,} to {maximum:,}",
        types=(int,),
        test=lambda value: minimum <= value <= maximum,
        unit=unit,
    )


def validate(
    model: type[ModelT], value: Any, *, file: str, at: str, lines: Mapping[KeyPath, int], context: Any = None
) -> ModelT:
    """Validate a value against a model.

    Args:
        model: The section that the value must be.
        value: What was read.
        file: How errors name the file.
        at: The name of the section, put in front of every path (``fleet``).
        lines: The line of each path within the section, where it is known.
        context: What validators need to know that is not in the value.

    Raises:
        ConfigurationError: with every problem of the value, in the order of the model.
    """
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        problems = tuple(problem for details in error.errors() for problem in _problems(model, details))
        raise _configuration_error(problems, file=file, at=at, lines=lines) from error


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one; None if none does."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def words_for(field: FieldInfo) -> str:
    """What a field allows, in words."""
    return next((found.words for found in field.metadata if isinstance(found, Allowed)), None) or _words(
        field.annotation
    )


def unit_for(field: FieldInfo) -> str:
    """The unit of a field that is a number."""
    return next((found.unit for found in field.metadata if isinstance(found, Allowed)), "")


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a field holds, directly, optionally, as a list or by name."""
    if isinstance(annotation, type) and not get_origin(annotation):
        return annotation if issubclass(annotation, Section) else None
    return next((found for found in map(section_of, get_args(annotation)) if found), None)


def _configuration_error(
    problems: Sequence[Problem], *, file: str, at: str, lines: Mapping[KeyPath, int]
) -> ConfigurationError:
    """As labelled parts if there is one problem, as a numbered list if there are several."""
    remedy = f"correct {file}; nothing was touched"
    if len(problems) == 1:
        (only,) = problems
        where = f"{file}: {_position(only, at=at, lines=lines)}"
        return ConfigurationError(only.what, where=where, allowed=only.allowed or None, remedy=only.remedy or remedy)
    entries = []
    for number, problem in enumerate(problems, start=1):
        allowed = f"\n     allowed: {problem.allowed}" if problem.allowed else ""
        hint = f"\n     what to do: {problem.remedy}" if problem.remedy else ""
        entries.append(f"  {number}. {_position(problem, at=at, lines=lines)}: {problem.what}{allowed}{hint}")
    listing = "\n".join([f"{len(problems)} values are refused.", *entries])
    return ConfigurationError(listing, where=file, remedy=remedy)


def _words(annotation: Any) -> str:
    own = next((found.words for found in getattr(annotation, "__metadata__", ()) if isinstance(found, Allowed)), None)
    if own:
        return own
    if isinstance(annotation, type) and issubclass(annotation, Section):
        names = (field.alias or name for name, field in annotation.model_fields.items())
        return f"a section with the keys {', '.join(names)}"
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is tuple:
        return f"a list; each entry: {_words(arguments[0])}"
    if origin is Mapping:
        return f"names, each with: {_words(arguments[1])}"
    return next((words for words in map(_words, arguments) if words), "")


def _problems(model: type[Section], details: ErrorDetails) -> Iterable[Problem]:
    path: KeyPath = tuple(details["loc"])
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, RefusedError):
        return [Problem((*path, *found.path), found.what, found.allowed, found.remedy) for found in cause.problems]
    if details["type"] == "default_factory_not_called":
        return []
    if details["type"] == "extra_forbidden":
        parent = _section_at(model, path[:-1]) or model
        known = list(parent.model_fields)
        meant = nearest(str(path[-1]), known)
        remedy = f"did you mean {meant}?" if meant else ""
        return [Problem(path, "This key is not known.", ", ".join(known), remedy)]
    field = _field_at(model, path)
    allowed = words_for(field) if field else _words(model)
    if details["type"] == "missing":
        return [Problem(path, "This key is missing.", allowed)]
    return [Problem(path, f"{_shown(details['input'])} is not allowed.", allowed)]


def _field_at(model: type[Section], path: KeyPath) -> FieldInfo | None:
    field: FieldInfo | None = None
    section: type[Section] | None = model
    for part in path:
        fields = {found.alias or name: found for name, found in section.model_fields.items()} if section else {}
        if part in fields:
            field = fields[str(part)]
            section = section_of(field.annotation)
    return field


def _section_at(model: type[Section], path: KeyPath) -> type[Section] | None:
    field = _field_at(model, path)
    return section_of(field.annotation) if field else None


def _position(problem: Problem, *, at: str, lines: Mapping[KeyPath, int]) -> str:
    path = ".".join([at, *(str(part) for part in problem.path)])
    known = next((problem.path[:end] for end in range(len(problem.path), -1, -1) if problem.path[:end] in lines), None)
    return path if known is None else f"{path} (line {lines[known]})"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
