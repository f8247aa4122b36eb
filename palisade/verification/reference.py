"""The reference of the controls, made from the registry: ``python -m palisade.verification.reference``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from palisade.controls import Control, ControlRegistry, Framework, load_controls
from palisade.fleet import HostGroup
from palisade.project import Project
from palisade.verification.suite import suite_root

_HEADING = """\
# The controls

Generated from `policies/controls/` by `python -m palisade.verification.reference > docs/controls.md`; a test fails when
this page is stale. How they are verified and proven: [verification](verification.md).
"""

FRAMEWORK_LABELS = {
    Framework.CIS_DEBIAN_12: "CIS",
    Framework.CIS_KUBERNETES: "CIS Kubernetes",
    Framework.NIST_800_53: "NIST",
    Framework.PCI_DSS: "PCI DSS",
    Framework.SOC_2: "SOC 2",
    Framework.GDPR: "GDPR",
    Framework.HIPAA: "HIPAA",
}
"""How tables name each catalogue."""


def reference(registry: ControlRegistry) -> str:
    """The whole page as Markdown; the same registry gives the same bytes."""
    places = sorted({control.implemented_by.heading for control in registry.controls})
    lines = [
        _HEADING,
        f"{len(registry.controls)} controls, by what puts them in place: a role and its tag, or a part of the cluster.",
        "",
    ]
    for place in places:
        chosen = [item for item in registry.controls if item.implemented_by.heading == place]
        lines += [
            f"## {': '.join(place)}",
            "",
            "| control | what holds, and why | where | frameworks |",
            "|---|---|---|---|",
        ]
        lines += [*(_row(control) for control in chosen), ""]
    return "\n".join(lines)


def _row(control: Control) -> str:
    where = "all hosts" if set(control.applies_to) == set(HostGroup) else ", ".join(control.applies_to)
    cells = (f"`{control.id}`", f"**{control.title}.** {control.why}", where, "; ".join(_references(control)))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _references(control: Control) -> Iterator[str]:
    for framework, label in FRAMEWORK_LABELS.items():
        if framework in control.references:
            yield f"{label} {', '.join(control.references[framework])}"


if __name__ == "__main__":
    sys.stdout.write(reference(load_controls(suite_root(Project.find()))))
