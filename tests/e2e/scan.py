"""Which ports of an address answer: all of them are asked at once, then the answers are read.

Usage: ``scan.py tcp|udp OWN_ADDRESS ADDRESS PORT ...``, as root; prints ``{"PORT": "open" | "refused"}``. Those that
stay silent are left out. A connection for each of 65,535 ports takes minutes: only its first packet is sent.
"""

import json
import socket
import struct
import sys
import time
from collections.abc import Iterable

OWN_PORT = 40_001
SYN, RST, ACK = 0x02, 0x04, 0x10
ROUNDS = 2
"""How often each port is asked: a packet can get lost on a busy machine."""
ANSWER_SECONDS = 1.0
RECEIVE_BYTES = 8 * 2**20


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def first_packet(own: str, address: str, port: int) -> bytes:
    """The TCP header of a new connection (RFC 9293, section 3.1)."""

    def header(check: int) -> bytes:
        return struct.pack("!HHIIBBHHH", OWN_PORT, port, 1, 0, 5 << 4, SYN, 64_240, check, 0)

    pseudo_header = socket.inet_aton(own) + socket.inet_aton(address) + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    return header(checksum(pseudo_header + header(0)))


def tcp(own: str, address: str, ports: Iterable[int]) -> dict[int, str]:
    """The ports that accept a connection or refuse it."""
    packets = [first_packet(own, address, port) for port in ports]
    found: dict[int, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        for _ in range(ROUNDS):
            for packet in packets:
                wire.sendto(packet, (address, 0))
            deadline = time.monotonic() + ANSWER_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                wire.settimeout(left)
                try:
                    answer, (sender, _) = wire.recvfrom(65_535)
                except TimeoutError:
                    break
                header = answer[(answer[0] & 0x0F) * 4 :]
                from_port, to_port = struct.unpack("!HH", header[:4])
                if (sender, to_port) == (address, OWN_PORT):
                    found[from_port] = "refused" if header[13] & RST else "open"
    return found


def udp(_own: str, address: str, ports: Iterable[int]) -> dict[int, str]:
    """The ports that answer, or say that nobody listens."""
    asked = {port: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for port in ports}
    for port, connection in asked.items():
        connection.connect((address, port))
        connection.send(b"?")
    found: dict[int, str] = {}
    deadline = time.monotonic() + ANSWER_SECONDS
    for port, connection in asked.items():
        connection.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            connection.recv(1)
            found[port] = "open"
        except ConnectionRefusedError:
            found[port] = "refused"
        except TimeoutError:
            pass  # silence
        connection.close()
    return found


if __name__ == "__main__":
    protocol_given, own_given, address_given, *ports_given = sys.argv[1:]
    scan = {"tcp": tcp, "udp": udp}[protocol_given]
    print(json.dumps(scan(own_given, address_given, [int(port) for port in ports_given])))  # noqa: T201
