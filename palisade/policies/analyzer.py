"""What ``pulumi`` starts for a policy pack whose ``PulumiPolicy.yaml`` says ``runtime: pypack``.

Pulumi looks on PATH for ``pulumi-analyzer-policy-<runtime>``; for ``runtime: python`` it wants its own language host of
the latest line, for this one the interpreter that Palisade itself runs with is enough.
"""

from __future__ import annotations

import os
import sys

_ARGUMENTS = 2


def main() -> None:
    """Become the pack: ``pulumi-analyzer-policy-pypack ENGINE_ADDRESS PACK_DIRECTORY``, both given by the engine.

    Raises:
        SystemExit: it was started by hand.
    """
    given = sys.argv[1:]
    if len(given) < _ARGUMENTS:
        raise SystemExit("pulumi starts this program; what to do: pulumi preview --policy-pack policies/pulumi")
    os.execv(sys.executable, [sys.executable, "-u", "-m", "pulumi.policy", *given[:_ARGUMENTS]])  # noqa: S606 - no shell
