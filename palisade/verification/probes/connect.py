"""Attempts TCP connections to some ports of one address, all at the same time.

Usage: ``connect.py ADDRESS SECONDS PORT ...``; prints ``{"PORT": "open" | "refused" | "silence"}``.
"""

import asyncio
import json
import sys


async def _answer(address: str, port: int, seconds: float) -> str:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), seconds)
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, OSError):
        return "silence"
    writer.close()
    return "open"


async def _answers(address: str, seconds: float, ports: list[int]) -> dict[int, str]:
    results = await asyncio.gather(*(_answer(address, port, seconds) for port in ports))
    return dict(zip(ports, results, strict=True))


def answers(address: str, seconds: float, ports: list[int]) -> dict[int, str]:
    """What each port answers: ``open``, ``refused`` (nothing listens there) or ``silence`` (the packet was dropped).

    Args:
        address: The IPv4 address to connect to.
        seconds: How long to wait for an answer.
        ports: TCP ports.
    """
    return asyncio.run(_answers(address, seconds, ports))


if __name__ == "__main__":
    address_given, seconds_given, *ports_given = sys.argv[1:]
    print(json.dumps(answers(address_given, float(seconds_given), [int(port) for port in ports_given])))  # noqa: T201
