"""What OPA decides on a request of which Envoy says nothing at all: asked at OPA's own socket, as Envoy asks it.

Usage: ``decision.py SOCKET``; prints ``{"answer": "refused" | "allowed" | "error" | "silence", ...}`` with what the
decision says of itself. It speaks as much of HTTP/2 and gRPC as one request needs: a host has no library for it.
"""

import json
import socket
import struct
import sys

SECONDS = 5.0
PATH = b"/envoy.service.auth.v3.Authorization/Check"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACKNOWLEDGED = 1, 4, 1
DENIED, ALLOWED, METADATA = 2, 3, 4
"""Fields of a CheckResponse."""
WITH_LENGTH = 2
"""The kind of a field (protobuf) that is a text or a message; the others here are numbers."""
MORE = 0x80
"""Set in each byte of a number (protobuf) but its last one."""


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """One frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


def literal(value: bytes) -> bytes:
    """A text in a block of headers (RFC 7541, section 5.2), shorter than 127 bytes."""
    return bytes([len(value)]) + value


def question(message: bytes) -> bytes:
    """Everything that is sent: one call with one message."""
    headers = b"".join(
        [
            b"\x83\x86\x04" + literal(PATH) + b"\x01" + literal(b"localhost"),
            b"\x0f\x10" + literal(b"application/grpc") + b"\x00" + literal(b"te") + literal(b"trailers"),
        ]
    )
    content = b"\x00" + struct.pack(">I", len(message)) + message
    return (
        PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, headers) + frame(DATA, END_STREAM, 1, content)
    )


def exactly(stream: socket.socket, count: int) -> bytes:
    """So many bytes.

    Raises:
        ConnectionError: the other side ended before.
    """
    found = b""
    while len(found) < count:
        more = stream.recv(count - len(found))
        if not more:
            raise ConnectionError("it ended the connection")
        found += more
    return found


def answer(path: str, message: bytes) -> bytes:
    """The message that comes back; empty if there is none.

    Raises:
        OSError: nobody is there, or nobody answers in time.
    """
    found = b""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(SECONDS)
        stream.connect(path)
        stream.sendall(question(message))
        while True:
            head = exactly(stream, 9)
            content = exactly(stream, int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == SETTINGS and not flags & ACKNOWLEDGED:
                stream.sendall(frame(SETTINGS, ACKNOWLEDGED, 0))
            elif kind == PING and not flags & ACKNOWLEDGED:
                stream.sendall(frame(PING, ACKNOWLEDGED, 0, content))
            elif kind in {RESET, GOAWAY}:
                return b""
            elif kind == DATA:
                found += content
            if kind in {DATA, HEADERS} and flags & END_STREAM:
                return found[5:]


def number(message: bytes, position: int) -> tuple[int, int]:
    """A number at a position of a message (protobuf, varint), and where the next thing begins."""
    value = shift = 0
    while True:
        byte = message[position]
        value, shift, position = value | (byte & ~MORE) << shift, shift + 7, position + 1
        if not byte & MORE:
            return value, position


def fields(message: bytes) -> list[tuple[int, "int | bytes"]]:
    """The fields of a message (protobuf) that are numbers, texts or messages."""
    found: list[tuple[int, int | bytes]] = []
    position = 0
    while position < len(message):
        tag, position = number(message, position)
        value, position = number(message, position)
        if tag & 7 == WITH_LENGTH:
            found.append((tag >> 3, message[position : position + value]))
            position += value
        else:
            found.append((tag >> 3, value))
    return found


def inner(message: bytes, *path: int) -> "int | bytes":
    """The first field at a path of field numbers; nothing if there is none."""
    found: int | bytes = message
    for step in path:
        listed = fields(found) if isinstance(found, bytes) else []
        found = next((value for name, value in listed if name == step), b"")
    return found


def report(message: bytes) -> dict[str, object]:
    """What a CheckResponse says."""
    names = {name for name, _ in fields(message)}
    said: dict[str, object] = {"answer": "allowed" if ALLOWED in names or not message else "refused"}
    if DENIED in names:
        said["status"] = inner(message, DENIED, 1, 1)
    metadata = inner(message, METADATA)
    for _, entry in fields(metadata) if isinstance(metadata, bytes) else ():
        key, value = (inner(entry, 1), inner(entry, 2, 3)) if isinstance(entry, bytes) else (b"", b"")
        if isinstance(key, bytes) and isinstance(value, bytes):
            said[key.decode()] = value.decode()
    return said


if __name__ == "__main__":
    try:
        response = answer(sys.argv[1], b"")
        shown = report(response) if response else {"answer": "error"}
    except TimeoutError:
        shown = {"answer": "silence"}
    except OSError as error:
        shown = {"answer": "error", "reason": str(error)}
    print(json.dumps(shown))  # noqa: T201
