"""Lets the control plane keep its address when it talks to pods.

Bridged packets pass the packet filter of this machine too (``net.bridge.bridge-nf-call-iptables``), where the engine
gives everything that leaves the fleet's network this machine's own address. Pods are outside of that network, so a
webhook would see a stranger. A translation to the same address comes first, and the first one counts.
"""

from __future__ import annotations

from palisade.fleet import Fleet, HostGroup
from palisade.local.processes import attempt, run
from palisade.local.programs import find_program


def keep_addresses(table: str, fleet: Fleet) -> None:
    """Have the rule in a table of the fleet's own; the same again changes nothing.

    Args:
        table: The name of the table, which nothing else on this machine has.
        fleet: A fleet with a control plane and a pod network.

    Raises:
        PalisadeError: nft refuses.
    """
    control = ", ".join(str(host.address) for host in fleet.in_group(HostGroup.CONTROL))
    lines = (
        f"table ip {table} {{}}",  # so that there is one to delete
        f"delete table ip {table}",
        f"table ip {table} {{",
        "  chain postrouting {",
        "    type nat hook postrouting priority srcnat - 1",
        f"    ip saddr {{ {control} }} ip daddr {fleet.networks.pods} snat to ip saddr",
        "  }",
        "}",
    )
    run(("nft", "--file", "-"), text="\n".join(lines) + "\n")


def forget_addresses(table: str) -> None:
    """Remove the table, if there is one; without ``nft`` nobody has made one."""
    program = find_program("nft")
    if program is not None and attempt((program, "list", "table", "ip", table)).succeeded:
        run((program, "delete", "table", "ip", table))
