"""The bytes that etcd keeps under a key, asked of etcd itself and not of the API server.

Usage: ``etcd_value.py URL CA CERTIFICATE KEY NAME``; prints the value as base64 in a JSON string, or ``null``.
"""

import base64
import json
import ssl
import sys
import urllib.request

SECONDS = 10


def value(url: str, context: ssl.SSLContext, name: str) -> str | None:
    """The value, as base64, from the HTTP side of etcd's API (v3/kv/range); None if there is no such key."""
    body = json.dumps({"key": base64.b64encode(name.encode()).decode()}).encode()
    request = urllib.request.Request(f"{url}/v3/kv/range", data=body)  # noqa: S310 - it is https
    with urllib.request.urlopen(request, context=context, timeout=SECONDS) as answer:  # noqa: S310
        found = json.load(answer).get("kvs", [])
    return str(found[0]["value"]) if found else None


if __name__ == "__main__":
    server, authority, certificate, key, wanted = sys.argv[1:]
    secured = ssl.create_default_context(cafile=authority)
    secured.load_cert_chain(certificate, key)
    print(json.dumps(value(server, secured, wanted)))  # noqa: T201
