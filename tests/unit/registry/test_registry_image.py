"""The image of the registry: what it is made from is there to be made from."""

from __future__ import annotations

from pathlib import Path

from palisade.local.cluster_programs import TOOLS
from palisade.project import Project
from palisade.tools.catalogue import load_catalogue

ROOT = Path(__file__).parents[3]
RECIPE = (ROOT / "images/apicurio-registry/Containerfile").read_text(encoding="utf-8")


def test_the_archive_that_it_unpacks_is_one_that_local_up_gets_ready() -> None:
    ready = {program.name for program in load_catalogue(Project(ROOT)).select(TOOLS)}
    assert "apicurio-registry.tar.gz" in ready
    assert "COPY --from=unpacked apicurio-registry " in RECIPE


def test_it_runs_java_without_a_shell_and_as_nobody_special() -> None:
    assert "\nUSER 65532:65532\n" in RECIPE
    assert "RUN" not in RECIPE
    assert '\nENTRYPOINT ["/usr/lib/jvm/java-21-openjdk-amd64/bin/java", ' in RECIPE
