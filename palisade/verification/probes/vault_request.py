"""What Vault answers: over TLS without a token and with one that nobody has, and without TLS.

Usage: ``vault_request.py ADDRESS PORT AUTHORITY TOKEN PATH``; prints a JSON object.
"""

import http.client
import json
import ssl
import sys

SECONDS = 10


def status_of_request(connection: http.client.HTTPConnection, path: str, token: str) -> int:
    """The status of the answer; 0 if there is none."""
    try:
        connection.request("GET", f"/v1/{path}", headers={"X-Vault-Token": token})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def seal_status(connection: http.client.HTTPConnection) -> object:
    """What Vault says about its seal; None if it says nothing."""
    try:
        connection.request("GET", "/v1/sys/seal-status")
        return json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    address, port, authority, nobody, asked = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    secured = http.client.HTTPSConnection(address, int(port), timeout=SECONDS, context=context)
    plain = http.client.HTTPConnection(address, int(port), timeout=SECONDS)
    report = {
        "seal": seal_status(secured),
        "refused": status_of_request(secured, asked, nobody),
        "without_tls": status_of_request(plain, "sys/seal-status", nobody),
    }
    print(json.dumps(report))  # noqa: T201
