"""What an HTTPS server answers to GET requests, without a certificate or with that of a kubeconfig.

Usage: ``https_get.py URL KUBECONFIG PATH ...``; without a certificate KUBECONFIG is ``-``. Prints ``{"PATH": STATUS}``.
"""

import base64
import json
import re
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

SECONDS = 10


def client(kubeconfig: str) -> ssl.SSLContext:
    """A client that takes any certificate of the server: who answers is not the question here."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if kubeconfig != "-":
        text = Path(kubeconfig).read_text(encoding="utf-8")
        # A host has no library for YAML.
        pair = dict(re.findall(r"(client-(?:certificate|key))-data\W+([A-Za-z0-9+/=]+)", text))
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(base64.b64decode(value) for value in pair.values()))
            file.flush()
            made.load_cert_chain(file.name)
    return made


def status(url: str, context: ssl.SSLContext) -> int:
    """The status of the answer to one GET request."""
    try:
        with urllib.request.urlopen(url, context=context, timeout=SECONDS) as answer:  # noqa: S310 - it is https
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    server, identity, *paths = sys.argv[1:]
    chosen = client(identity)
    print(json.dumps({path: status(server + path, chosen) for path in paths}))  # noqa: T201
