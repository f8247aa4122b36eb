"""The sections of the fleet configuration; what must hold within one section is checked here."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from math import ceil

from pydantic import Field, model_validator

from palisade.config_audit import AuditSinks
from palisade.config_edge import LoadBalancer
from palisade.config_values import (
    Address,
    CertificateHours,
    CompressionRatio,
    DiskGibibytes,
    DnsNames,
    HostGroupChoice,
    HostName,
    MemoryMebibytes,
    MinimumNodes,
    Network,
    Networks,
    PodMebibytes,
    PodMillicpu,
    PodNetwork,
    PrivateNetwork,
    PrivateNetworks,
    RecordBytes,
    RegionName,
    Regions,
    Replicas,
    RequestsPerSecond,
    RetentionDays,
    ServiceNetwork,
    TlsVersion,
    TlsVersionChoice,
    UserName,
)
from palisade.validation import Problem, Section, refuse

AVERAGE_SHARE_OF_PEAK = Fraction(3, 10)
"""Average over peak traffic where nobody has measured it: an assumption for traffic that follows office hours."""


class Traffic(Section):
    """The load that the environment is built for."""

    peak_rps: RequestsPerSecond
    """The highest load; the number of nodes follows from it."""
    average_rps: RequestsPerSecond = Field(
        default_factory=lambda known: ceil(known["peak_rps"] * AVERAGE_SHARE_OF_PEAK), validate_default=False
    )
    """The load averaged over the retention period; audit storage follows from it. Default: 30 % of the peak."""

    @model_validator(mode="after")
    def _average_is_at_most_the_peak(self) -> Traffic:
        if self.average_rps > self.peak_rps:
            what = f"The average of {self.average_rps} is above the peak of {self.peak_rps}."
            refuse([Problem(("average_rps",), what, f"at most peak_rps, {self.peak_rps:,} requests per second")])
        return self


class Audit(Section):
    """What the audit trail takes: one record per request, kept for the retention period."""

    record_bytes: RecordBytes = 1536
    """Size of one record as JSON, in bytes. Default: an estimate for the fields of the audit record."""
    retention_days: RetentionDays = 365
    """How long records are kept, in days."""
    replicas: Replicas = 2
    """How many copies of the archive are kept."""
    compression_ratio: CompressionRatio = Decimal(4)
    """Plain size over stored size. Default: careful, for JSON of which a part is encrypted and does not compress."""
    sinks: AuditSinks = AuditSinks()
    """Where Fluentd ships records to; without a sink it does not run."""


class Tls(Section):
    """What the edge accepts, and how long certificates live."""

    minimum_version: TlsVersionChoice = TlsVersion.TLS_1_3
    """The lowest TLS version that clients may use."""
    certificate_ttl_hours: CertificateHours = 24
    """How long a certificate is valid, in hours: that of pods, and those of hosts."""
    renew_before_hours: CertificateHours = 12
    """How long before its end cert-manager renews the certificate of pods, in hours. Hosts: after nine tenths of it."""

    @model_validator(mode="after")
    def _renewed_before_it_ends(self) -> Tls:
        if self.renew_before_hours >= self.certificate_ttl_hours:
            what = (
                f"{self.renew_before_hours} is not shorter than a certificate lives ({self.certificate_ttl_hours} h)."
            )
            allowed = f"a whole number of hours below certificate_ttl_hours, {self.certificate_ttl_hours}"
            refuse([Problem(("renew_before_hours",), what, allowed)])
        return self


class Edge(Section):
    """What clients see of the registry."""

    names: DnsNames
    """The DNS names by which clients call it; they are in its certificate, and the first is its common name."""
    addresses: tuple[Address, ...] = ()
    """Addresses by which clients may call it, in its certificate too. Default in a local fleet: the registry hosts'."""
    load_balancer: LoadBalancer | None = None
    """What stands between clients and the registry nodes; needed with existing nodes, except in a local fleet."""

    @model_validator(mode="after")
    def _each_once(self) -> Edge:
        refuse(
            Problem((part, number), f"{value} is named twice.", "each entry once")
            for part, values in (("names", self.names), ("addresses", self.addresses))
            for number, value in enumerate(values)
            if value in values[:number]
        )
        return self


class FleetNetworkSettings(Section):
    """Which networks may talk to the fleet."""

    fleet: PrivateNetwork
    """The network that the hosts are in."""
    operators: PrivateNetworks
    """Where operators come from (a VPN); the only source that the bastion admits on its SSH port."""
    clients: Networks
    """Where API clients come from; beside edge.load_balancer the only source that nodes admit on 443 and 8443."""
    upstreams: tuple[Network, ...] = ()
    """Where the services behind registered APIs are; registry pods reach them on the ports that are registered."""
    pods: PodNetwork | None = None
    """The addresses of the cluster's pods; needed with existing nodes, in a local fleet with a /24 for each of them."""
    services: ServiceNetwork | None = None
    """The addresses of the cluster's services; a local fleet with a control host needs it."""

    @model_validator(mode="after")
    def _networks_of_the_cluster_are_apart(self) -> FleetNetworkSettings:
        named = [("fleet", self.fleet), ("pods", self.pods), ("services", self.services)]
        refuse(
            Problem((later,), f"{network} overlaps networks.{earlier}, {taken}.", "a private network of its own")
            for (earlier, taken), (later, network) in combinations(named, 2)
            if taken is not None and network is not None and network.overlaps(taken)
        )
        return self


class Database(Section):
    """The PostgreSQL host."""

    allowed_sources: PrivateNetworks
    """Which networks may open database connections; where no registry host is listed, Vault admits them as well."""


class DataClass(Section):
    """One kind of data and where it may be stored."""

    allowed_regions: Regions
    """The regions in which this data may be stored."""
    region: RegionName
    """The region in which this environment stores it."""

    @model_validator(mode="after")
    def _region_is_allowed(self) -> DataClass:
        if self.region not in self.allowed_regions:
            what = f"The data class forbids the region {self.region}."
            remedy = "store it in an allowed region; add a region only if the owner of the data agrees"
            refuse([Problem(("region",), what, ", ".join(self.allowed_regions), remedy)])
        return self


class Registry(Section):
    """The registry nodes."""

    minimum_nodes: MinimumNodes = 2
    """Nodes per cluster that availability asks for, whatever the load; one more is added as the spare."""


class Host(Section):
    """A machine that Ansible hardens; in a local fleet, a machine that ``palisade local up`` starts.

    Its SSH server listens at port 22, which is what the firewall of every host and the bastion let through.
    """

    name: HostName
    """Unique in the environment."""
    group: HostGroupChoice
    """What the host is for; it decides roles and firewall rules."""
    address: Address
    """Its address in the fleet's network."""
    ssh_user: UserName = "palisade"
    """The login that Ansible and the verification use."""
    logins: tuple[UserName, ...] = ()
    """The logins of people, one each; nobody else is let in. Their accounts are made elsewhere."""

    @model_validator(mode="after")
    def _each_person_once(self) -> Host:
        refuse(
            Problem(("logins", number), f"{login} {what}.", "a login of a person, each once")
            for number, login in enumerate(self.logins)
            for what, holds in (
                ("never logs in", login == "root"),
                ("is the ssh_user of the host", login == self.ssh_user),
                ("is named twice", login in self.logins[:number]),
            )
            if holds
        )
        return self


class LocalFleet(Section):
    """Makes the environment a local fleet: its hosts are started on this machine and its scale is what is listed."""

    memory_mib: MemoryMebibytes = 2048
    """Free memory that this machine must have before hosts are started, in MiB."""
    disk_gib: DiskGibibytes = 6
    """Free disk space that this machine must have before hosts are started, in GiB."""
    registry_millicpu: PodMillicpu = 250
    """What a registry pod asks for on this machine instead of its share of 4 vCPU, in thousandths of a vCPU."""
    registry_memory_mib: PodMebibytes = 512
    """What a registry pod asks for on this machine instead of its share of 16 GiB, in MiB."""
