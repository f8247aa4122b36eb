"""Runs shell commands one after the other for the verification, in one session of the host instead of one for each.

Reads one JSON string a line on standard input (a command) and answers with one JSON list a line: exit status, standard
output, standard error (both as base64, for they can be anything). Ends with its input.
"""

import base64
import json
import subprocess
import sys

SECONDS = 300
"""How long a command may take; the slowest one installs a package for a proof."""
_TIMED_OUT = 124


def answer(command: str) -> list[object]:
    """The exit status, standard output and standard error of a shell command."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=SECONDS
        )
        status, output, error = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        status, output, error = _TIMED_OUT, b"", f"no answer within {SECONDS} s".encode()
    return [status, base64.b64encode(output).decode(), base64.b64encode(error).decode()]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)  # noqa: T201
