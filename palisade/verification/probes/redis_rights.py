"""Asks a scratch Redis server, which has the users of a file and nothing else, what each of them may do.

Usage: ``redis_rights.py FILE USER=COMMAND ...``; prints ``{"USER=COMMAND": "allowed" | "denied" | "no user"}``.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 5
LOOK_SECONDS = 0.02
PROBE = "palisade-probe"


def _ask(socket: Path, *words: str) -> str:
    command = ["redis-cli", "-s", str(socket), "--user", PROBE, "--pass", PROBE, "--no-auth-warning", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout.strip()


def _answer(said: str) -> str:
    if said == "OK":
        return "allowed"
    return "no user" if "not found" in said else "denied"


def rights(file: Path, questions: list[str]) -> dict[str, str]:
    """What the users of a file may do.

    Args:
        file: An access control list of Redis.
        questions: ``USER=COMMAND``, the words of the command separated by spaces.

    Raises:
        TimeoutError: the file is refused, so the scratch server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="palisade-") as folder:
        socket, users = Path(folder, "socket"), Path(folder, "users.acl")
        users.write_text(f"{file.read_text(encoding='utf-8')}\nuser {PROBE} on >{PROBE} allkeys allchannels +@all\n")
        command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--aclfile", str(users), "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder) as server:
            try:
                deadline = time.monotonic() + SECONDS
                while _ask(socket, "PING") != "PONG":
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise TimeoutError(f"Redis does not start with {file}")
                    time.sleep(LOOK_SECONDS)
                found = {}
                for question in questions:
                    user, _, words = question.partition("=")
                    found[question] = _answer(_ask(socket, "ACL", "DRYRUN", user, *words.split()))
                return found
            finally:
                server.terminate()


if __name__ == "__main__":
    print(json.dumps(rights(Path(sys.argv[1]), sys.argv[2:])))  # noqa: T201
