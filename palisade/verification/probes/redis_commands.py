"""Sends commands to a Redis server over one connection and prints what it answers.

Usage: ``redis_commands.py ADDRESS PORT none|TLSv1.2|TLSv1.3 COMMAND ...``, each command one argument, its words
separated by spaces; prints a JSON object: ``tls`` is the version that was agreed on, or null; ``answers`` has the first
line of each answer.
"""

import json
import socket
import ssl
import sys

SECONDS = 5


def _context(version: str) -> ssl.SSLContext:
    # Which certificate the server has is asked elsewhere; here nothing is sent that it could betray.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version.replace(".", "_")]
    return context


def _send(connection: socket.socket, command: str) -> str:
    words = [word.encode() for word in command.split()]
    connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    answer = b""
    while not answer.endswith(b"\n"):
        part = connection.recv(1)
        if not part:
            return "hung up"
        answer += part
    return answer.decode().strip()


def answers(address: str, port: int, version: str, commands: list[str]) -> dict[str, object]:
    """What the server answers to each command.

    Args:
        address: Where the server is.
        port: Its port.
        version: The only version of TLS that is offered; ``none`` for a connection without TLS.
        commands: What is sent, one after the other.
    """
    agreed: str | None = None
    said: list[str] = []
    try:
        with socket.create_connection((address, port), SECONDS) as plain:
            connection: socket.socket = plain
            if version != "none":
                secured = _context(version).wrap_socket(plain)
                connection, agreed = secured, secured.version()
            said.extend(_send(connection, command) for command in commands)
    except ssl.SSLError as error:
        said.append(f"refused: {error.reason}")
    except OSError as error:
        said.append(f"refused: {error}")
    return {"tls": agreed, "answers": said}


if __name__ == "__main__":
    address_given, port_given, version_given, *commands_given = sys.argv[1:]
    print(json.dumps(answers(address_given, int(port_given), version_given, commands_given)))  # noqa: T201
