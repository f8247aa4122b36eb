"""Asks a PostgreSQL server how it would let somebody in, and ends before a password is needed.

Usage: ``postgresql_login.py ADDRESS PORT USER DATABASE none|TLSv1.2|TLSv1.3``; prints a JSON object:
``tls`` is the version that was agreed on, or null; ``answer`` is how it lets people log in, or ``refused`` and its
words.
"""

import json
import socket
import ssl
import struct
import sys

SECONDS = 5
AUTHENTICATION = {0: "let in", 3: "password in the clear", 5: "md5"}
SASL = 10


def _context(version: str) -> ssl.SSLContext:
    # Which certificate the server has is asked elsewhere; here nothing is sent that it could betray.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version.replace(".", "_")]
    return context


def _message(connection: socket.socket) -> tuple[bytes, bytes]:
    header = _exactly(connection, 5)
    return header[:1], _exactly(connection, struct.unpack("!I", header[1:])[0] - 4)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("the server has hung up")
        data += part
    return data


def _answer(kind: bytes, body: bytes) -> str:
    if kind == b"E":
        fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
        return f"refused: {fields.get(b'M', '')}"
    if kind != b"R":
        return f"refused: a message {kind!r}"
    (method,) = struct.unpack("!I", body[:4])
    mechanisms = " ".join(word.decode() for word in body[4:].split(b"\0") if word) if method == SASL else ""
    return mechanisms or AUTHENTICATION.get(method, f"method {method}")


def login(address: str, port: int, user: str, database: str, version: str) -> dict[str, str | None]:
    """What the server answers to somebody who wants to log in.

    Args:
        address: Where the server is.
        port: Its port.
        user: Who wants to log in.
        database: Where to.
        version: The only version of TLS that is offered; ``none`` for a connection without TLS.
    """
    agreed: str | None = None
    try:
        with socket.create_connection((address, port), SECONDS) as plain:
            connection: socket.socket = plain
            if version != "none":
                plain.sendall(struct.pack("!II", 8, 80877103))
                if _exactly(plain, 1) != b"S":
                    return {"tls": None, "answer": "refused: the server has no TLS"}
                secured = _context(version).wrap_socket(plain)
                connection, agreed = secured, secured.version()
            words = b"user\0" + user.encode() + b"\0database\0" + database.encode() + b"\0\0"
            connection.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
            return {"tls": agreed, "answer": _answer(*_message(connection))}
    except ssl.SSLError as error:
        return {"tls": agreed, "answer": f"refused: {error.reason}"}
    except OSError as error:
        return {"tls": agreed, "answer": f"refused: {error}"}


if __name__ == "__main__":
    address_given, port_given, user_given, database_given, version_given = sys.argv[1:]
    print(json.dumps(login(address_given, int(port_given), user_given, database_given, version_given)))  # noqa: T201
