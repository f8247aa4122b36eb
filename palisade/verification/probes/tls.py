"""Which versions of TLS a server takes, with which cipher suites, and whose certificate it shows.

Usage: ``tls.py ADDRESS PORT [CA-FILE]``; prints a JSON object.
"""

import json
import socket
import ssl
import sys
import warnings

SECONDS = 5
VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
ANYTHING = "ALL:@SECLEVEL=0"
"""Also what this host's own library would not offer by itself."""


def client(version: ssl.TLSVersion, ciphers: str = ANYTHING) -> ssl.SSLContext:
    """A client that speaks one version only, and takes any certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = version, version
    return made


def attempt(address: str, port: int, context: ssl.SSLContext) -> dict[str, str]:
    """``accepted`` with the cipher suite, ``refused`` by the server, or ``error`` with what else went wrong."""
    try:
        with (
            socket.create_connection((address, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=address) as secured,
        ):
            # With TLS 1.3 a server says only after the handshake that it wants a certificate.
            secured.sendall(b"GET / HTTP/1.0\r\n\r\n")
            secured.recv(1)
            return {"answer": "accepted", "cipher": (secured.cipher() or ("",))[0]}
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        return {"answer": "refused" if "ALERT" in reason else "error", "reason": reason}
    except OSError as error:
        return {"answer": "error", "reason": str(error)}


def suites(address: str, port: int) -> list[str]:
    """The cipher suites of TLS 1.2 that the server takes: what it chose is left out until nothing is left."""
    found: list[str] = []
    while True:
        offered = ":".join(["ALL", *(f"!{name}" for name in found), "@SECLEVEL=0"])
        answer = attempt(address, port, client(ssl.TLSVersion.TLSv1_2, offered))
        if answer["answer"] != "accepted":
            return sorted(found)
        found.append(answer["cipher"])


def trusted(address: str, port: int, authority: str) -> str:
    """``yes`` if the authority vouches for the server's certificate and the address in it; else why not."""
    context = ssl.create_default_context(cafile=authority)
    try:
        with (
            socket.create_connection((address, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=address),
        ):
            return "yes"
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    place = (sys.argv[1], int(sys.argv[2]))
    report: dict[str, object] = {
        "versions": {name: attempt(*place, client(version)) for name, version in VERSIONS.items()},
        "ciphers": suites(*place),
        "trusted": trusted(*place, sys.argv[3]) if sys.argv[3:] else None,
    }
    print(json.dumps(report))  # noqa: T201
