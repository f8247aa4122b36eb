"""What Apicurio Registry is told when it starts: the same in the registry pod and on hosts with systemd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DATABASE = "registry"
"""The name of its database."""
DATABASE_PORT = 5432
USERNAME, PASSWORD = "APICURIO_DATASOURCE_USERNAME", "APICURIO_DATASOURCE_PASSWORD"
"""The settings that are secret; they reach it in another way than the others."""
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class ServiceSettings:
    """What differs between places.

    Args:
        server: The address or name of the database's host. One: nothing would keep several alike.
        authority: The file with the root CA that the database's certificate leads to (PEM).
        heap: The option of Java that bounds its heap.
        database: The name of the database.
    """

    server: str
    authority: str
    heap: str
    database: str = DATABASE


def heap_of(memory_mib: int, percent: int) -> str:
    """The option that bounds the heap on a host; in a container Java finds out the memory by itself.

    Args:
        memory_mib: What the whole process may use, in MiB.
        percent: How much of it the heap may be; the rest is for code, threads and buffers.
    """
    return f"-Xmx{memory_mib * percent // 100}m"


def service_environment(settings: ServiceSettings) -> Mapping[str, str]:
    """Its environment variables, but for :data:`USERNAME` and :data:`PASSWORD`."""
    place = f"{settings.server}:{DATABASE_PORT}/{settings.database}"
    # A server that replays a backup already answers, with what was true once; it does not count until it takes writes.
    options = (
        f"sslmode=verify-full&sslrootcert={settings.authority}&targetServerType=primary"
        f"&connectTimeout={_CONNECT_SECONDS}"
    )
    return {
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{place}?{options}",
        "JAVA_TOOL_OPTIONS": f"{settings.heap} -XX:+ExitOnOutOfMemoryError -Djava.io.tmpdir=/tmp",
        # Only Envoy, beside it, reaches it.
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
    }
