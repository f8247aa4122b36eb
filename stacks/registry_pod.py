"""What a registry pod is: three containers that share a network, and nothing else that they do not need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    CapabilitiesArgs,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    PodAffinityTermArgs,
    PodAntiAffinityArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecretKeySelectorArgs,
    SecretVolumeSourceArgs,
    SecurityContextArgs,
    SleepActionArgs,
    SysctlArgs,
    TolerationArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from palisade.registry.service import DATABASE, PASSWORD, USERNAME, ServiceSettings, service_environment
from palisade.sizing import Resources
from stacks.objects import LABELS, REGISTRY_ROLE, ROLE_LABEL, WHY_ANNOTATION, ZONE_LABEL
from stacks.registry_table import ContainerRow, RegistryTable, divided

REGISTRY = "registry"
"""The name of the Deployment, of its Service and of its service account."""
POD_LABELS: Mapping[str, str] = {"app.kubernetes.io/name": REGISTRY}
RESTART_ANNOTATION = "palisade.dev/restarts-with"
"""A digest of the files that are only read at the start; another value replaces the pods one by one."""
USER = 65532
FIRST_PORT = 443
"""The lowest port that a process without rights may open in the pod's own network."""
PORTS: Mapping[str, int] = {"apis": 443, "management": 8443}
"""What Envoy publishes."""
HEALTH_PORT = 8081
READ_ONLY = 0o440
BUNDLE_MEBIBYTES = 16
"""What the last good bundle may take; a ConfigMap holds 1 MiB, and there are the files that it is unpacked from."""

ENVOY, OPA, APICURIO = "envoy", "opa", "apicurio"
EDGE, ROOT = "edge", "fleet-root"
"""The Secret of the edge's certificate, and that of the fleet's root CA."""
OPA_BUNDLE = "opa-bundle"
DATABASE_SECRET = "registry-database"  # noqa: S105 - the name of a Secret, not what is in it
AUTHORITY = "/etc/palisade/authority"
BUNDLE_DIRECTORY = "/etc/opa-bundle"
_DECISIONS = "decisions"
_LAST_GOOD = "last-good-bundle"
_TEMPORARY = "temporary"
_HOSTNAME_LABEL = "kubernetes.io/hostname"

MOUNTS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    ENVOY: {
        "envoy": ("/etc/envoy", True),
        EDGE: ("/etc/palisade/certificates", True),
        ROOT: (AUTHORITY, True),
        OPA_BUNDLE: (BUNDLE_DIRECTORY, True),
        _DECISIONS: ("/run/opa", True),
    },
    OPA: {
        "opa": ("/etc/opa", True),
        _DECISIONS: ("/run/opa", False),
        _LAST_GOOD: ("/var/lib/opa", False),
    },
    APICURIO: {ROOT: (AUTHORITY, True), _TEMPORARY: ("/tmp", False)},  # noqa: S108 - a directory of the pod alone
}
"""Each container's volumes: the directory, and whether it is read-only."""


@dataclass(frozen=True)
class RegistryPod:
    """What a registry pod is made from."""

    table: RegistryTable
    images: Mapping[str, str]
    """The reference of each image by its name in the configuration."""
    room: Resources
    """What the pod asks for."""
    arguments: Mapping[str, Sequence[str]]
    """What each container's program is called with."""
    environment: Mapping[str, Mapping[str, str]]
    """The environment variables of each container, beside those that follow from its room."""
    files: Mapping[str, Mapping[str, str]]
    """The files of each ConfigMap by its name."""
    read_at_start: Mapping[str, Sequence[str]]
    """Of these, those that a program reads when it starts and never again."""
    database_server: str
    """The address of the database's host."""
    database: str = DATABASE
    """The name of the database."""

    def template(self) -> PodTemplateSpecArgs:
        """The pod as a Deployment makes it."""
        table = self.table
        rows = {row.name: row for row in table.containers}
        rooms = divided(self.room, table.containers)
        return PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels={**LABELS, **POD_LABELS},
                annotations={
                    WHY_ANNOTATION: "Serves the registered APIs on 443 and the registry itself on 8443",
                    RESTART_ANNOTATION: self._digest(),
                },
            ),
            spec=PodSpecArgs(
                service_account_name=REGISTRY,
                automount_service_account_token=False,
                enable_service_links=False,
                priority_class_name="palisade-registry",
                node_selector={ROLE_LABEL: REGISTRY_ROLE},
                tolerations=[
                    TolerationArgs(key=ROLE_LABEL, operator="Equal", value=REGISTRY_ROLE, effect="NoSchedule")
                ],
                affinity=AffinityArgs(
                    pod_anti_affinity=PodAntiAffinityArgs(
                        required_during_scheduling_ignored_during_execution=[
                            PodAffinityTermArgs(label_selector=_selector(), topology_key=_HOSTNAME_LABEL)
                        ]
                    )
                ),
                topology_spread_constraints=[
                    TopologySpreadConstraintArgs(
                        max_skew=1,
                        topology_key=ZONE_LABEL,
                        when_unsatisfiable="DoNotSchedule",
                        # A zone whose nodes are all gone or tainted as unreachable does not hold up the others.
                        node_taints_policy="Honor",
                        label_selector=_selector(),
                    )
                ],
                termination_grace_period_seconds=table.termination_seconds,
                security_context=PodSecurityContextArgs(
                    run_as_non_root=True,
                    run_as_user=USER,
                    run_as_group=USER,
                    fs_group=USER,
                    fs_group_change_policy="OnRootMismatch",
                    seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
                    sysctls=[SysctlArgs(name="net.ipv4.ip_unprivileged_port_start", value=str(FIRST_PORT))],
                ),
                containers=[self._container(row, rooms[name]) for name, row in rows.items()],
                volumes=list(self._volumes()),
            ),
        )

    def _container(self, row: ContainerRow, room: Resources) -> ContainerArgs:
        asked = room.quantities()
        disk = {"ephemeral-storage": f"{self.table.disk_mib}Mi"}
        ports = {**PORTS, "health": HEALTH_PORT} if row.name == ENVOY else {}
        return ContainerArgs(
            name=row.name,
            image=self.images[row.image],
            image_pull_policy="IfNotPresent",
            args=list(self.arguments.get(row.name, ())),
            env=list(self._environment(row.name, room)),
            ports=[ContainerPortArgs(name=name, container_port=port, protocol="TCP") for name, port in ports.items()],
            resources=ResourceRequirementsArgs(
                requests={**asked, **disk},
                # Memory that is not there kills; processor time that nobody uses may be used.
                limits={"cpu": self.room.quantities()["cpu"], "memory": asked["memory"], **disk},
            ),
            startup_probe=self._probe(row, failures=row.startup_seconds // self.table.probe.period_seconds),
            readiness_probe=self._probe(row),
            liveness_probe=self._probe(row, failures=2 * self.table.probe.failures),
            lifecycle=LifecycleArgs(
                pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=row.drain_seconds)),
            ),
            security_context=SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=CapabilitiesArgs(drop=["ALL"]),
            ),
            volume_mounts=[
                VolumeMountArgs(name=name, mount_path=directory, read_only=read_only)
                for name, (directory, read_only) in MOUNTS[row.name].items()
            ],
        )

    def _probe(self, row: ContainerRow, *, failures: int | None = None) -> ProbeArgs:
        probe = self.table.probe
        return ProbeArgs(
            http_get=HTTPGetActionArgs(path=row.health, port=HEALTH_PORT),
            period_seconds=probe.period_seconds,
            timeout_seconds=probe.timeout_seconds,
            failure_threshold=failures or probe.failures,
        )

    def _environment(self, container: str, room: Resources) -> Iterator[EnvVarArgs]:
        variables = dict(self.environment.get(container, {}))
        if container == OPA:
            # From there on it collects garbage, whatever else is set: before the kernel ends it.
            variables["GOMEMLIMIT"] = f"{room.memory_mib * self.table.go_memory_percent // 100}MiB"
        yield from (EnvVarArgs(name=name, value=value) for name, value in sorted(variables.items()))
        if container == APICURIO:
            yield from self._registry_environment()

    def _registry_environment(self) -> Iterator[EnvVarArgs]:
        settings = ServiceSettings(
            server=self.database_server,
            authority=f"{AUTHORITY}/ca.crt",
            heap=f"-XX:MaxRAMPercentage={self.table.java_heap_percent}",
            database=self.database,
        )
        plain = service_environment(settings)
        yield from (EnvVarArgs(name=name, value=value) for name, value in plain.items())
        for name, key in {USERNAME: "username", PASSWORD: "password"}.items():
            secret = SecretKeySelectorArgs(name=DATABASE_SECRET, key=key)
            yield EnvVarArgs(name=name, value_from=EnvVarSourceArgs(secret_key_ref=secret))

    def _volumes(self) -> Iterator[VolumeArgs]:
        for name in ("envoy", "opa", OPA_BUNDLE):
            source = ConfigMapVolumeSourceArgs(name=name, default_mode=READ_ONLY)
            yield VolumeArgs(name=name, config_map=source)
        for name in (EDGE, ROOT):
            yield VolumeArgs(name=name, secret=SecretVolumeSourceArgs(secret_name=name, default_mode=READ_ONLY))
        yield VolumeArgs(name=_DECISIONS, empty_dir=EmptyDirVolumeSourceArgs(medium="Memory", size_limit="1Mi"))
        yield VolumeArgs(name=_LAST_GOOD, empty_dir=EmptyDirVolumeSourceArgs(size_limit=f"{BUNDLE_MEBIBYTES}Mi"))
        temporary = EmptyDirVolumeSourceArgs(size_limit=f"{self.table.temporary_mib}Mi")
        yield VolumeArgs(name=_TEMPORARY, empty_dir=temporary)

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name, files in sorted(self.read_at_start.items()):
            for file in sorted(files):
                content = self.files[name][file].encode()
                digest.update(f"{name}/{file} {len(content)}\n".encode() + content)
        return digest.hexdigest()


def _selector() -> LabelSelectorArgs:
    return LabelSelectorArgs(match_labels=dict(POD_LABELS))
