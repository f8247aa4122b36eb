"""Tries passwords, lock-outs and new accounts for real, on a copy of ``/etc`` that nobody else sees.

Usage: ``rehearse.py accounts|passwords|lockout|su``, as root; prints what happened as JSON.

The program moves into a mount namespace of its own, where ``/etc`` is a copy in memory and ``/home``, the lock-out
records and the journal's socket are empty. The host's real PAM configuration and libraries then decide about an
account that exists only there: no account, no log line and no failed login is left on the host.
"""

import ctypes
import json
import os
import pty
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

USER = "palisade-rehearsal"
GROUP = "palisade-rehearsal-group"
GOOD = "vT7#qLm2!xRw9Zp"
OTHER = "Hd4%nKs8?bYc6Jf"
WORKPLACE = Path("/mnt")
FAILURES = WORKPLACE / "faillock"
NOBODY = 65534
MANY = 7
"""Wrong passwords that lock an account for certain, also where the limit is not exactly five."""
_MOUNT_NAMESPACE = 0x00020000
_SUCCESS = 0
_CONVERSATION_ERROR = 19
_ERROR_MESSAGE = 3
_PROMPT_STYLES = (1, 2)
_STARTED_BY_ITEM = 8
_FAIL_DELAY_ITEM = 10


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of the host that must succeed."""
    return subprocess.run(arguments, input=text, capture_output=True, text=True, check=True)


def enter_copy() -> None:
    """Leave the host's file systems: from here on nothing that is written lasts."""
    if ctypes.CDLL("libc.so.6", use_errno=True).unshare(_MOUNT_NAMESPACE) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace cannot be made")
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "palisade", str(WORKPLACE))
    run("cp", "--archive", "/etc", str(WORKPLACE / "etc"))
    run("mount", "--bind", str(WORKPLACE / "etc"), "/etc")
    for directory in ("/home", "/run/systemd/journal", "/var/log"):
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "palisade", directory)
    faillock = Path("/etc/security/faillock.conf")
    if faillock.is_file():
        with faillock.open("a", encoding="utf-8") as file:
            file.write(f"\ndir = {FAILURES}\n")
    run("useradd", "--create-home", "--no-log-init", USER)


class Message(ctypes.Structure):
    """``struct pam_message``."""

    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class Response(ctypes.Structure):
    """``struct pam_response``."""

    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


CONVERSE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(Message)),
    ctypes.POINTER(ctypes.POINTER(Response)),
    ctypes.c_void_p,
)
FAIL_DELAY = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class Conversation(ctypes.Structure):
    """``struct pam_conv``."""

    _fields_ = (("converse", CONVERSE), ("data", ctypes.c_void_p))


class Pam:
    """One transaction with the host's PAM library."""

    def __init__(self, service: str, user: str, answer: str, *, started_by: str = "root") -> None:
        self.errors: list[str] = []
        self._answer = answer.encode()
        self._libc = ctypes.CDLL("libc.so.6")
        self._libc.calloc.restype = self._libc.strdup.restype = ctypes.c_void_p
        self._library = ctypes.CDLL("libpam.so.0")
        self._handle = ctypes.c_void_p()
        self._converse = CONVERSE(self._talk)
        # Without this the library sleeps for seconds after each wrong password.
        self._no_delay = FAIL_DELAY(lambda *_: None)
        conversation = Conversation(self._converse, None)
        self._conversation = conversation
        self._library.pam_start(service.encode(), user.encode(), ctypes.byref(conversation), ctypes.byref(self._handle))
        self._library.pam_set_item(self._handle, _FAIL_DELAY_ITEM, self._no_delay)
        self._library.pam_set_item(self._handle, _STARTED_BY_ITEM, started_by.encode())

    def _talk(self, count: int, messages: object, responses: object, _data: object) -> int:
        replies = ctypes.cast(self._libc.calloc(count, ctypes.sizeof(Response)), ctypes.POINTER(Response))
        for number in range(count):
            message = messages[number].contents  # type: ignore[index]
            if message.style in _PROMPT_STYLES:
                replies[number].text = self._libc.strdup(self._answer)
            elif message.style == _ERROR_MESSAGE:
                self.errors.append(message.text.decode())
        responses[0] = replies  # type: ignore[index]
        return _SUCCESS

    def _end(self, status: int) -> bool:
        self._library.pam_end(self._handle, status)
        return status == _SUCCESS

    def authenticate(self) -> bool:
        """Whether the answer logs the user in."""
        return self._end(self._library.pam_authenticate(self._handle, 0))

    def change_password(self) -> bool:
        """Whether the answer is accepted as the user's new password."""
        return self._end(self._library.pam_chauthtok(self._handle, 0))


def at_terminal(*command: str, answers: list[str]) -> None:
    """Run a program that asks for passwords on a terminal of its own.

    Args:
        command: The program and its arguments.
        answers: What is typed at each question.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    for typed in answers:
        while b"assword: " not in os.read(terminal, 1024):
            pass
        os.write(terminal, f"{typed}\n".encode())
    os.waitpid(process, 0)


def new_password(password: str) -> str:
    """What PAM says about a new password: ``accepted``, or ``refused`` and why."""
    transaction = Pam("passwd", USER, password)
    if transaction.change_password():
        return "accepted"
    return ": ".join(["refused", *transaction.errors[-1:]])


def field_of(path: str, name: str, number: int) -> str:
    """One field of the line of ``name`` in a file such as ``/etc/shadow``."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return fields[number]
    raise KeyError(name)


def quick_hash(password: str) -> str:
    """A hash that costs no time to compare, for an account that exists only here."""
    return run("openssl", "passwd", "-1", "-stdin", text=password).stdout.strip()


def hash_method(hashed: str) -> str:
    """The method of a password hash (crypt(5)): ``y`` for yescrypt, ``6`` for SHA-512."""
    return hashed.split("$")[1] if hashed.startswith("$") else "none"


def accounts() -> dict[str, object]:
    """What a new account gets."""
    run("groupadd", GROUP)
    at_terminal("/usr/bin/gpasswd", GROUP, answers=[GOOD, GOOD])
    return {
        "home_mode": f"{Path('/home', USER).stat().st_mode & 0o7777:04o}",
        "minimum_days": field_of("/etc/shadow", USER, 3),
        "maximum_days": field_of("/etc/shadow", USER, 4),
        "warning_days": field_of("/etc/shadow", USER, 5),
        "inactive_days": field_of("/etc/shadow", USER, 6),
        "group_hash_method": hash_method(field_of("/etc/gshadow", GROUP, 1)),
    }


def passwords() -> dict[str, object]:
    """What PAM says to root, who sets passwords that each break one rule."""
    said: dict[str, object] = {
        "five_characters": new_password("vT7#q"),
        "too_short": new_password("vT7#qLm2!xRw9"),
        "three_classes": new_password("vT7qLm2xRw9ZpHd4nKs8"),
        "four_in_a_row": new_password("vT7#qLm2!xRw9Zpaaaa"),
        "dictionary_word": new_password("Telecommunications1!"),
        "good": new_password(GOOD),
        "hash_method": hash_method(field_of("/etc/shadow", USER, 1)),
    }
    new_password(OTHER)
    return said | {"used_before": new_password(GOOD)}


def _age_records(seconds: int) -> None:
    """Move every recorded failure into the past (``struct tally``: 56 bytes, then the time as 64 bits)."""
    for path in FAILURES.glob("*"):
        records = bytearray(path.read_bytes())
        for position in range(56, len(records), 64):
            (moment,) = struct.unpack_from("=Q", records, position)
            struct.pack_into("=Q", records, position, moment - seconds)
        path.write_bytes(records)


def _right_after(wrong: int, *, user: str = USER, seconds: int = 0) -> str:
    """What the right password gets some seconds after this many wrong ones."""
    for path in FAILURES.glob("*"):
        path.unlink()
    for _ in range(wrong):
        Pam("sshd", user, "wrong").authenticate()
    _age_records(seconds)
    return "accepted" if Pam("sshd", user, GOOD).authenticate() else "refused"


def lockout() -> dict[str, object]:
    """After how many wrong passwords the right one is refused, for how long, and whether none at all is enough."""
    hashed = quick_hash(GOOD)
    run("usermod", "--password", hashed, USER)
    run("usermod", "--password", hashed, "root")
    found: dict[str, object] = {
        "after_4_wrong": _right_after(4),
        "after_5_wrong": _right_after(5),
        "locked_29_minutes_ago": _right_after(MANY, seconds=29 * 60),
        "locked_31_minutes_ago": _right_after(MANY, seconds=31 * 60),
        "root_locked_50_seconds_ago": _right_after(MANY, user="root", seconds=50),
        "root_locked_70_seconds_ago": _right_after(MANY, user="root", seconds=70),
    }
    run("useradd", "--no-log-init", f"{USER}-2")
    run("passwd", "--delete", f"{USER}-2")
    return found | {"empty_password": "accepted" if Pam("sshd", f"{USER}-2", "").authenticate() else "refused"}


def su() -> dict[str, object]:
    """Whether an account outside the group of administrators becomes another one with the right password."""
    run("usermod", "--password", quick_hash(GOOD), USER)
    # The identity that the program su has when an outsider starts it; su itself would sleep after the refusal.
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, 0, 0)
    accepted = Pam("su", USER, GOOD, started_by="nobody").authenticate()
    return {"outsider": "accepted" if accepted else "refused"}


PARTS: dict[str, Callable[[], dict[str, object]]] = {
    "accounts": accounts,
    "passwords": passwords,
    "lockout": lockout,
    "su": su,
}

if __name__ == "__main__":
    enter_copy()
    print(json.dumps(PARTS[sys.argv[1]]()))  # noqa: T201
