"""Asks the running SSH daemon what it offers before anybody logs in (RFC 4253, sections 4.2 and 7.1).

Usage: ``ssh_offer.py PORT``; prints the daemon's version and its name lists as JSON. It speaks from a changing
loopback address: OpenSSH holds connections without a login against the address that they came from.
"""

import json
import os
import socket
import struct
import sys

LISTS = (
    "kexalgorithms",
    "hostkeyalgorithms",
    "ciphers",
    "ciphers_to_client",
    "macs",
    "macs_to_client",
    "compression",
)
"""The first name lists of SSH_MSG_KEXINIT, under the names that ``sshd -T`` uses."""
_KEXINIT = 20
_COOKIE_BYTES = 16
_MARKERS = {"ext-info-s", "kex-strict-s-v00@openssh.com"}
"""Not algorithms: what the daemon can do besides (RFC 8308, OpenSSH PROTOCOL 1.10)."""


def name_lists(payload: bytes) -> dict[str, list[str]]:
    """The name lists of a SSH_MSG_KEXINIT payload.

    Args:
        payload: The payload of the packet, from its message number on.

    Raises:
        ValueError: it is another message.
    """
    if payload[0] != _KEXINIT:
        raise ValueError(f"SSH message {payload[0]} where SSH_MSG_KEXINIT was expected")
    position = 1 + _COOKIE_BYTES
    lists = {}
    for name in LISTS:
        (length,) = struct.unpack_from(">I", payload, position)
        text = payload[position + 4 : position + 4 + length].decode("ascii")
        lists[name] = [entry for entry in text.split(",") if entry not in _MARKERS]
        position += 4 + length
    return lists


def offer(port: int) -> dict[str, list[str]]:
    """What the daemon on this port of this host offers."""
    source = f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.9"
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0)) as connection:
        connection.sendall(b"SSH-2.0-palisade_verification\r\n")
        stream = connection.makefile("rb")
        while not stream.readline().startswith(b"SSH-2.0-"):
            pass
        length, padding = struct.unpack(">IB", stream.read(5))
        return name_lists(stream.read(length - 1)[: length - 1 - padding])


if __name__ == "__main__":
    print(json.dumps(offer(int(sys.argv[1]))))  # noqa: T201
