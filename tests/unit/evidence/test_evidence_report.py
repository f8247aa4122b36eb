"""The page: complete, safe with hostile values, self-contained, accessible, and small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from evidence_sample import STARTED, a_control, a_registry, a_result, a_run, every_status, many, with_a_cluster

from palisade.controls import ControlRegistry
from palisade.evidence.report import report
from palisade.evidence.view import view_of
from palisade.results import Status, VerificationRun
from palisade.templates import TEMPLATES

VOID = {"meta", "link", "input", "br"}
STATUSES = ["pass", "fail", "waived", "not_assessable"]


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        return [one for one in self.content if isinstance(one, Element)]

    def all(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.all()

    @property
    def texts(self) -> Iterator[str]:
        for one in self.content:
            if isinstance(one, Element):
                yield from one.texts
            else:
                yield one

    def find(self, tag: str | None = None, **attributes: str) -> list[Element]:
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            one
            for one in self.all()
            if (tag is None or one.tag == tag)
            and all(value in one.attributes.get(name, "").split() for name, value in wanted.items())
        ]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


class _Parser(HTMLParser):
    """Builds a tree and refuses what a browser would have to guess."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def _parse(page: bytes) -> Element:
    parser = _Parser()
    parser.feed(page.decode("utf-8"))
    parser.close()
    assert parser.open == [parser.root], f"not closed: {[one.tag for one in parser.open]}"
    return parser.root


def _page(sample: tuple[VerificationRun, ControlRegistry]) -> Element:
    return _parse(report(view_of(*sample), results=b"{}\n"))


@pytest.fixture(scope="module")
def page() -> Element:
    return _page(every_status())


def _one(elements: list[Element]) -> Element:
    assert len(elements) == 1
    return elements[0]


def test_top_says_how_it_went_where_when_and_on_what(page: Element) -> None:
    summary = _one(page.find("section", id="summary")).text
    for part in (
        "Environment local",
        "1 check fails",
        "2 hosts, 4 controls: 3 of 7 checks pass, 1 fails, 1 is accepted by a waiver and 2 cannot be shown",
        "2026-11-22 06:11:31 UTC",
        "31.4 s",
        "4810d87c2a4be3c7dfb1f8a1f0e0b8a5c9f1c2d3-dirty",
        "1 of 5 controls of the registry were not checked",
    ):
        assert part in summary
    assert "1 check fails · local · 2026-11-22 06:11:31 UTC" in _one(page.find("title")).text


@pytest.mark.parametrize(
    ("status", "word", "count"),
    [
        ("pass", "Pass", "3"),
        ("fail", "Fail", "1"),
        ("waived", "Waived", "1"),
        ("not_assessable", "Not assessable", "2"),
    ],
)
def test_each_status_is_everywhere_with_symbol_and_word(page: Element, status: str, word: str, count: str) -> None:
    figure = _one(_one(page.find("ul", class_="figures")).find("li", class_=status))
    assert figure.text.startswith(f"{word} {count}")
    cells = [cell for row in page.find("tr", class_="head") for cell in row.find("td", class_=status)]
    assert len(cells) == int(count)
    assert page.find("article", class_=status)
    assert _one(page.find("section", id="frameworks")).find("span", class_=status)
    assert _one(_one(page.find("dl", class_="glossary")).find("span", class_=status)).text == word
    for shown in [*cells, *page.find("span", class_="badge")]:
        assert shown.text
        assert shown.find("use")


def test_a_row_explains_its_control(page: Element) -> None:
    row = _one(page.find("tbody", id="control-fails-on-one"))
    for part in (
        "The title of fails-on-one",
        "Because an attacker could otherwise steer traffic",
        "role ssh_hardening, tag sshd",
        "tests/verify/test_sysctl.py::test_value",
        "sysctl -w net.ipv4.ip_forward=1",
        "NIST SP 800-53 rev. 5 SC-7",
        "net.ipv4.ip_forward is '1' in the running kernel, expected '0'",
    ):
        assert part in row.text
    failing = _one(row.find("article", data_status="fail"))
    expected, file, runtime = (_one(value.find("pre")).text for value in failing.find("figure"))
    assert (expected, file, runtime) == ("net.ipv4.ip_forward: 0", "0", "1")


def test_the_cluster_stands_beside_the_hosts() -> None:
    page = _page(with_a_cluster())
    assert [one.text for one in page.find("th", scope="col") if "data-host" in one.attributes] == [
        "db-1",
        "registry-1",
        "cluster",
    ]
    assert _one(page.find("h2", id="hosts-title")).text == "Hosts and cluster"
    assert "2 hosts and the cluster, 2 controls" in _one(page.find("section", id="summary")).text
    row = _one(page.find("tbody", id="control-of-the-cluster")).text
    for part in ("stack component network", "the cluster", "NetworkPolicy palisade-registry/default-deny is missing"):
        assert part in row
    areas = [one.text for one in page.find("tbody") if "area" in one.attributes.get("class", "").split()]
    assert areas == ["Cluster 1 control", "OS hardening 1 control"]


def test_a_control_that_was_not_checked_is_not_hidden(page: Element) -> None:
    row = _one(page.find("tbody", id="control-never-checked"))
    assert "none" in row.attributes["class"].split()
    assert "Not checked in this run." in row.text


def test_waivers_and_what_cannot_be_shown_are_explained(page: Element) -> None:
    waivers = _one(page.find("section", id="waivers")).text
    for part in ("The title of is-waived", "The old catalogue needs a tunnel", "2026-12-15", "23 days after this run"):
        assert part in waivers
    unshown = _one(page.find("section", id="not-assessable")).text
    for part in ("The kernel is shared with the machine", "2 checks of 1 control", "neither a pass nor a failure"):
        assert part in unshown


def test_frameworks_list_requirements_with_their_worst_status(page: Element) -> None:
    nist = _one(page.find("details", id="framework-nist_800_53"))
    rows = [[cell.text for cell in row.children] for row in nist.find("tbody")[0].children]
    assert [row[:2] for row in rows] == [["CM-6", "Pass"], ["SC-7", "Fail"]]
    assert "The title of cannot-be-shown" in rows[1][2]


def test_sections_without_content_are_left_out() -> None:
    clean = _page((a_run([a_result("some-control", "db-1")]), a_registry(a_control("some-control"))))
    assert not [name for name in ("attention", "waivers", "not-assessable") if clean.find("section", id=name)]
    assert _one(clean.find("h1")).text == "Every check passes"


def test_an_empty_run_says_so() -> None:
    empty = _page((a_run([]), a_registry(a_control("some-control"))))
    assert _one(empty.find("h1")).text == "Nothing was checked"
    assert "Nothing was checked." in _one(empty.find("section", id="hosts")).text


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% include 'x' %}",
    "javascript:alert(1)",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "\u202etxt.exe\u2066 \x00\x1b[2J",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_are_only_text(hostile: str) -> None:
    control = a_control("some-control").model_copy(update={"title": hostile, "why": hostile, "proven_by": hostile})
    harmless = a_control("some-control")
    runs = [
        a_run([a_result("some-control", target, Status.FAIL, file=value, runtime={value: [value]}, reason=value)])
        for value, target in ((hostile, hostile), ("harmless", "harmless"))
    ]
    attacked, clean = (_page((run, a_registry(one))) for run, one in zip(runs, (control, harmless), strict=True))
    assert Counter(one.tag for one in attacked.all()) == Counter(one.tag for one in clean.all())
    names = [Counter(name for one in document.all() for name in one.attributes) for document in (attacked, clean)]
    assert names[0] == names[1]
    assert all(one.attributes["href"].startswith(("#", "data:,")) for one in attacked.all() if "href" in one.attributes)
    if hostile.isprintable():
        assert hostile in _one(attacked.find("article")).text
    assert all(text.replace("\n", "").replace("\t", "").isprintable() for text in attacked.texts)


def test_needs_nothing_from_outside_and_runs_only_its_own_script(page: Element) -> None:
    loading = {"src", "srcset", "action", "data", "poster", "background"}
    assert not [one for one in page.all() if loading & set(one.attributes)]
    assert all(one.attributes["href"].startswith(("#", "data:,")) for one in page.all() if "href" in one.attributes)
    assert not re.search(r"@import|url\(", (TEMPLATES / "evidence" / "report.css").read_text())
    assert not re.search(
        r"\b(fetch|XMLHttpRequest|eval|innerHTML|document\.write)\b", (TEMPLATES / "evidence" / "report.js").read_text()
    )
    policy = _one(page.find("meta", http_equiv="Content-Security-Policy")).attributes["content"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = "".join(_one(page.find(tag)).texts)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [one for one in page.all() if "style" in one.attributes]


def test_names_the_digest_of_the_results_it_was_made_from() -> None:
    source = report(view_of(*every_status()), results=b"the results")
    assert hashlib.sha256(b"the results").hexdigest().encode() in source


def test_links_lead_somewhere_and_ids_are_unique(page: Element) -> None:
    identifiers = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {one.attributes["href"][1:] for one in page.all() if one.attributes.get("href", "").startswith("#")}
    anchors = {target for target in targets if "=" not in target}
    assert anchors <= set(identifiers)
    assert {"icon-pass", "icon-fail", "icon-waived", "icon-not_assessable", "icon-none", "icon-more"} <= set(
        identifiers
    )
    assert targets - anchors == {*(f"status={status}" for status in STATUSES), "host=db-1", "host=registry-1"}
    referred = {one.attributes[name] for one in page.all() for name in ("aria-labelledby",) if name in one.attributes}
    assert referred <= set(identifiers)


def test_is_accessible_by_structure(page: Element) -> None:
    assert _one(page.find("html")).attributes["lang"] == "en"
    assert len(page.find("h1")) == 1
    levels = [int(one.tag[1]) for one in page.all() if re.fullmatch(r"h[1-6]", one.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in page.find("table"):
        assert all("scope" in header.attributes for header in table.find("th"))
    for control in (*page.find("select"), *page.find("input")):
        assert [label for label in page.find("label") if control in label.all()]
    assert all("aria-hidden" in one.attributes or "aria-label" in one.attributes for one in page.find("svg"))
    matrix = _one(page.find("table", class_="matrix"))
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    for tag, role in roles.items():
        assert all(one.attributes.get("role") == role for one in matrix.find(tag)), (
            "narrow screens lay the table out as blocks"
        )


def test_hosts_get_a_column_each_until_there_are_too_many() -> None:
    few = _page(many(controls=12, hosts=8))
    assert [one.text for one in few.find("thead")[0].find("th")][1:] == [f"registry-{number}" for number in range(1, 9)]
    lots = _page(many(controls=12, hosts=9))
    assert [one.text for one in lots.find("thead")[0].find("th")] == [
        "Control",
        "Fail",
        "Waived",
        "Not assessable",
        "Pass",
    ]
    first = _one(lots.find("tbody", id="control-control-000"))
    assert [cell.text for cell in first.find("tr", class_="head")[0].find("td")] == ["1", "0", "0", "8"]
    assert "all 9 hosts" in _one(lots.find("tbody", id="control-control-005")).text
    assert [one.attributes["data-hosts"] for one in first.find("article")] == ["0", "1-8"]


@pytest.mark.parametrize(("controls", "hosts", "value"), [(85, 4, "long value " * 400), (100, 100, "0")])
def test_the_page_stays_small(controls: int, hosts: int, value: str) -> None:
    assert len(report(view_of(*many(controls=controls, hosts=hosts, value=value)), results=b"")) < 2_000_000


def _schemes() -> list[tuple[str, dict[str, str]]]:
    css = (TEMPLATES / "evidence" / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)
    light, dark, paper = (dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return [("light", light), ("dark", light | dark), ("paper", light | paper)]


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TEXT_ON_SURFACES = [
    *((text, surface) for text in ("text", "muted", "link") for surface in ("page", "surface", "sunken")),
    ("band-text", "band"),
    *((status, f"{status}-surface") for status in ("pass", "fail", "waived", "not-assessable")),
    *((status, "surface") for status in ("pass", "fail", "waived", "not-assessable")),
]


@pytest.mark.parametrize(("scheme", "colours"), _schemes())
@pytest.mark.parametrize(("text", "surface"), TEXT_ON_SURFACES)
def test_contrast_is_enough_to_read(scheme: str, colours: dict[str, str], text: str, surface: str) -> None:
    """WCAG 2.2, success criterion 1.4.3 (AA): 4.5:1."""
    lighter, darker = sorted((_luminance(colours[f"--{name}"]) for name in (text, surface)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5, f"{text} on {surface} ({scheme})"


def test_time_is_utc_whatever_the_run_says() -> None:
    run, registry = every_status()
    elsewhere = run.model_copy(update={"started": STARTED.astimezone(None)})
    assert report(view_of(elsewhere, registry), results=b"").count(b"2026-11-22 06:11:31 UTC") >= 2
