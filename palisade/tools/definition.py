"""What a ``tools/<name>/tool.yaml`` says: the programs of a tool, how each is recognised and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import model_validator

from palisade.validation import Allowed, Problem, Section, refuse, whole_number

_PIN = re.compile(r"v(\d+\.\d+\.\d+)(?:-[0-9A-Za-z.-]+)?")
_LONGEST_BUILD_SECONDS = 3600


def _is_range(text: str) -> bool:
    try:
        return len(SpecifierSet(text)) > 0
    except InvalidSpecifier:
        return False


def _has_one_group(text: str) -> bool:
    try:
        return re.compile(text).groups == 1
    except re.error:
        return False


Sentence = Annotated[str, Allowed("a sentence", test=lambda text: bool(text.strip()))]
Name = Annotated[str, Allowed("the name of a program or package", test=lambda text: bool(re.fullmatch(r"\S+", text)))]
Artifact = Annotated[
    str,
    Allowed(
        "an artifact such as group:artifact:1.0.0:tar.gz:classifier",
        test=lambda text: bool(re.fullmatch(r"[\w.-]+:[\w.-]+:\d+(?:\.\d+)+:[\w.]+(?::[\w.-]+)?", text)),
    ),
]
Digest = Annotated[str, Allowed("64 hexadecimal digits", test=lambda text: bool(re.fullmatch(r"[0-9a-f]{64}", text)))]
Pin = Annotated[str, Allowed("a Go module version such as v1.36.3", test=lambda text: bool(_PIN.fullmatch(text)))]
VersionRange = Annotated[str, Allowed("a version range such as '>=1.30,<2'", test=_is_range)]
VersionPattern = Annotated[str, Allowed("a regular expression with exactly one group", test=_has_one_group)]
RelativePath = Annotated[
    str, Allowed("a path inside the module", test=lambda text: not text.startswith("/") and ".." not in text.split("/"))
]


class VersionQuestion(Section):
    """How a program is asked for its version, and which answers are acceptable."""

    arguments: tuple[Name, ...]
    """What the program is called with (``version``, ``--version``)."""
    pattern: VersionPattern
    """Finds the version in the answer, standard output and standard error together."""
    accepted: VersionRange
    """The versions that Palisade works with when the program is found on PATH (PEP 440)."""

    def accepts(self, version: Version) -> bool:
        """Whether a program of this version may be used."""
        return SpecifierSet(self.accepted).contains(version, prereleases=True)


class GoModule(Section):
    """Built from a Go module that the tool's folder pins in ``go.mod`` and ``go.sum``."""

    module: Name
    """The module that the programs belong to."""
    version: Pin
    """The version that is built; ``go.mod`` says the same, and a test compares them."""
    programs: Mapping[Name, Name]
    """Each program and the Go package it is built from; ``.`` is the folder's own ``main.go``."""
    linker_variables: Mapping[Name, Name] = {}
    """String variables set when linking; ``{version}`` is the pinned version, ``{major}`` and ``{minor}`` its parts."""
    beside: tuple[RelativePath, ...] = ()
    """Scripts of the module that are installed in the same directory as the program."""
    usual_build_seconds: Annotated[int, whole_number(1, _LONGEST_BUILD_SECONDS, "seconds")]
    """How long all programs of the module take together with a cold build cache on two cores, in seconds."""

    @property
    def release(self) -> Version:
        """The pinned version as a number that can be compared."""
        match = _PIN.fullmatch(self.version)
        if match is None:
            raise ValueError(self.version)
        return Version(match.group(1))

    @property
    def linker_flags(self) -> str:
        """What the linker is told: the variables, and to leave out symbol tables, which only debuggers read."""
        text = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in sorted(self.linker_variables.items()))])
        parts = {"{version}": self.version, "{major}": str(self.release.major), "{minor}": str(self.release.minor)}
        for placeholder, part in parts.items():
            text = text.replace(placeholder, part)
        return text


class DebianPackages(Section):
    """Installed by the user, or by ``make up`` where it may, from packages of the distribution."""

    packages: tuple[Name, ...]
    """What has to be installed for the programs to work."""
    programs: tuple[Name, ...]
    """The programs that are looked for on PATH."""


class PythonPackage(Section):
    """Shipped in a Python package that ``uv.lock`` pins, as the program itself and not only a script that starts it."""

    distribution: Name
    """The package, as PyPI names it."""
    programs: Mapping[Name, RelativePath]
    """Each program and the file of the package that it is."""


class MavenArtifact(Section):
    """One file that its publisher releases to Maven repositories; Maven fetches it as the user has configured it."""

    artifact: Artifact
    """Its coordinates: group, artifact, version, type and perhaps classifier."""
    sha256: Digest
    """What the file is: another one is refused, whoever serves it."""
    programs: tuple[Name]
    """The name that the file gets."""
    usual_seconds: Annotated[int, whole_number(1, _LONGEST_BUILD_SECONDS, "seconds")]
    """How long fetching it usually takes, in seconds."""

    @property
    def version(self) -> str:
        """The version in the coordinates."""
        return self.artifact.split(":")[2]


class OwnPrograms(Section):
    """Part of the project, for machines on which the official plugin of Pulumi is not installed."""

    programs: tuple[Name, ...]
    """The executables, beside ``tool.yaml``."""
    plugin: Name
    """The plugin that they stand in for, as Pulumi names its directory (``resource-kubernetes``)."""


class Tool(Section):
    """One external tool: one folder under ``tools/``."""

    purpose: Sentence
    """What Palisade uses it for."""
    needed_by: tuple[Sentence, ...]
    """The commands that need it."""
    version_question: VersionQuestion | None = None
    """How a program on PATH is recognised; for programs that can tell their version."""
    released_with: Name | None = None
    """For programs that cannot tell it: the program beside which their publisher installs them."""
    go: GoModule | None = None
    """Where it comes from when it is not on PATH: built here."""
    debian: DebianPackages | None = None
    """Where it comes from when it is not on PATH: the distribution."""
    python: PythonPackage | None = None
    """Where it comes from when it is not on PATH: a Python package in the environment that Palisade runs in."""
    maven: MavenArtifact | None = None
    """Where it comes from always: a file for a virtual machine or an archive, which no PATH has."""
    own: OwnPrograms | None = None
    """Where it comes from when it is neither on PATH nor installed as a plugin: the project."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        sources = (self.go, self.debian, self.python, self.maven, self.own)
        if sources.count(None) != len(sources) - 1:
            refuse([Problem((), "Exactly one of go, debian, python, maven and own is needed.")])
        tells = self.own is None and self.maven is None
        if tells and (self.version_question is None) == (self.released_with is None):
            refuse([Problem((), "Exactly one of version_question and released_with is needed.")])
        return self

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of its programs, in the order of the file."""
        source = self.go or self.debian or self.python or self.maven or self.own
        return tuple(source.programs) if source else ()
