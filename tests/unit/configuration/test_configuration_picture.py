"""The picture of a plan is one sound SVG document that shows the figures of the plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from configuration_samples import PROJECT_ROOT
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.config import load_configuration
from palisade.plan_picture import draw
from palisade.planning import make_plan
from palisade.project import Project

SVG = "{http://www.w3.org/2000/svg}"


def picture(rps: int, **given: int) -> ElementTree.Element:
    return ElementTree.fromstring(draw(make_plan(None, {"peak_rps": rps, **given})))  # noqa: S314 - our own document


def texts(drawn: ElementTree.Element) -> list[str]:
    return [" ".join("".join(text.itertext()).split()) for text in drawn.iter(f"{SVG}text")]


@pytest.mark.parametrize("rps", [1, 3, 4_999, 50_000, 50_001, 120_000, 2_500_000, 10_000_000])
def test_everything_is_inside_the_picture(rps: int) -> None:
    drawn = picture(rps)
    _, _, width, height = (float(part) for part in drawn.attrib["viewBox"].split())
    for element in drawn.iter():
        for attribute, limit in (
            ("x", width),
            ("x1", width),
            ("cx", width),
            ("y", height),
            ("y1", height),
            ("cy", height),
        ):
            assert 0 <= float(element.get(attribute, 0)) <= limit
    line = next(element for element in drawn.iter(f"{SVG}path") if element.get("class") == "nodes")
    assert all(0 <= float(number) <= width for number in re.findall(r"[\d.]+", line.attrib["d"]))


def test_the_chosen_point_lies_on_both_lines_and_is_named() -> None:
    drawn = picture(120_000)
    upper, lower = drawn.findall(f"{SVG}circle")
    assert upper.attrib["cx"] == lower.attrib["cx"]
    line = next(element for element in drawn.iter(f"{SVG}path") if element.get("class") == "nodes")
    assert f"V{upper.attrib['cy']}" in line.attrib["d"]
    said = " ".join(texts(drawn))
    assert "27 nodes; 30 from 120,001 requests/s" in said
    assert "793 TiB" in said


def test_the_clusters_up_to_the_next_are_visible() -> None:
    assert {"1 cluster", "2 clusters", "3 clusters", "4 clusters"} <= set(texts(picture(120_000)))


def test_it_says_what_the_storage_rests_on() -> None:
    said = " ".join(texts(picture(5_000, record_bytes=2_048, replicas=1, retention_days=400)))
    for part in ("after 400 days", "at 1,500 requests/s on average", "2,048 bytes", "1 copy"):
        assert part in said


def test_it_names_the_environment() -> None:
    drawn = draw(make_plan(load_configuration(Project(root=PROJECT_ROOT), "prod"), {}))
    assert "prod: 25,000 requests/s need 6 registry nodes" in drawn


def test_the_same_plan_gives_the_same_picture() -> None:
    plan = make_plan(None, {"peak_rps": 70_000})
    assert draw(plan) == draw(plan)


def test_the_command_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "plan.svg"
    result = CliRunner().invoke(application, ["plan", "--rps", "5000", "--plot", str(file), "--output", "json"])
    assert json.loads(result.stdout)["nodes"] == 3
    assert file.read_text() == draw(make_plan(None, {"peak_rps": 5000}))
