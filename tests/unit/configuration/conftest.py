"""Projects to read configurations from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration_samples import PROJECT_ROOT, WriteProject

from palisade.project import Project


@pytest.fixture
def write_project(tmp_path: Path) -> WriteProject:
    """Writes a project with one environment: from a document, or from the text of its file."""

    def write(fleet: Any = None, *, environment: str = "dev", text: str | None = None) -> Project:
        (tmp_path / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n")
        content = text if text is not None else yaml.safe_dump({"config": {"palisade:fleet": fleet}}, sort_keys=False)
        (tmp_path / f"Pulumi.{environment}.yaml").write_text(content)
        return Project(root=tmp_path)

    return write


@pytest.fixture
def checkout() -> Project:
    """This checkout, with the environments that are shipped."""
    return Project(root=PROJECT_ROOT)
