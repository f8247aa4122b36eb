"""The accounts that exist, in the files and as the system resolves them."""

from palisade.verification.check import compare, require
from palisade.verification.files import text_of

SYSTEM_NUMBERS = range(1, 1000)
NO_SHELL = {"/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"}
HARMLESS = {"sync": "/bin/sync"}


def _facts(passwd, shadow, operator):
    accounts = [line.split(":") for line in passwd.splitlines()]
    hashes = {line.split(":")[0]: line.split(":")[1] for line in shadow.splitlines()}
    services = [account for account in accounts if int(account[2]) in SYSTEM_NUMBERS or account[0] == "nobody"]
    usable = {name for name, hashed in hashes.items() if hashed and not hashed.startswith(("!", "*"))}
    return {
        "accounts_with_uid_0": [account[0] for account in accounts if account[2] == "0"],
        "empty_passwords": sorted(name for name, hashed in hashes.items() if not hashed),
        "root_group": next(account[3] for account in accounts if account[0] == "root"),
        "root_password": "usable" if "root" in usable else "locked",
        "operator_password": "usable" if operator in usable else "locked",
        "services_with_password": sorted(account[0] for account in services if account[0] in usable),
        "services_with_shell": sorted(
            account[0] for account in services if account[6] not in NO_SHELL | {HARMLESS.get(account[0])}
        ),
    }


def test_accounts(control, observation, readings):
    """Read from the files and from the name service switch, which other sources of accounts can extend."""
    operator = readings.target.ssh_user
    file = _facts(text_of(readings, "/etc/passwd"), text_of(readings, "/etc/shadow"), operator)
    runtime = _facts(readings.output("getent passwd"), readings.output("getent shadow"), operator)
    require(compare(control, observation, file=file, runtime=runtime, source="/etc/passwd and /etc/shadow"))
