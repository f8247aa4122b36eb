"""Where audit records go: one section for each kind of sink; several at once are possible."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, model_validator

from palisade.config_cluster import ObjectName
from palisade.config_values import Port, RegionName, ServerNetwork, matches
from palisade.validation import Allowed, Problem, RefusedError, Section, refuse


class SyslogTransport(StrEnum):
    """How records reach a SIEM; UDP is not among them, because it loses records without anybody noticing."""

    TLS = "tls"
    TCP = "tcp"


class KafkaLogin(StrEnum):
    """How Fluentd proves itself to Kafka (SASL over TLS)."""

    PLAIN = "plain"
    SCRAM_SHA_256 = "sha256"
    SCRAM_SHA_512 = "sha512"


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise RefusedError(Problem((), "The list is empty.", "at least one entry"))
    return values


ServerName = Annotated[
    str,
    matches(
        r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*",
        "the name of a server such as search.example.com, without https:// and without a port",
    ),
]
ServerNames = Annotated[tuple[ServerName, ...], AfterValidator(_not_empty)]
SinkNetworks = Annotated[tuple[ServerNetwork, ...], AfterValidator(_not_empty)]
BucketName = Annotated[
    str, matches(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name: lower-case letters, digits, . and -, 3 to 63")
]
KeyPrefix = Annotated[
    str, matches(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9_-]+)*", "a path without a slash at its ends: api-audit/prod")
]
TopicName = Annotated[str, matches(r"[A-Za-z0-9._-]{1,249}", "a topic name: letters, digits, . _ and -")]
IndexName = Annotated[str, matches(r"[a-z0-9][a-z0-9_-]{0,79}", "an index name: lower-case letters, digits, _ and -")]
TransportChoice = Annotated[SyslogTransport, Allowed('"tls", "tcp"', types=(str, SyslogTransport))]
LoginChoice = Annotated[KafkaLogin, Allowed('"plain", "sha256", "sha512"', types=(str, KafkaLogin))]


class Sink(Section):
    """What every sink has."""

    networks: SinkNetworks
    """The addresses behind the sink's name: Fluentd, and nobody else, may connect there."""
    port: Port
    """The port there."""


class ElasticsearchSink(Sink):
    """Elasticsearch, over TLS. Its Secret ``audit-elasticsearch`` has the keys user and password."""

    hosts: ServerNames
    """Its nodes, or its load balancer."""
    port: Port = 9200
    """The port of all of them."""


class OpenSearchSink(Sink):
    """OpenSearch, over TLS. Its Secret ``audit-opensearch`` has the keys user and password."""

    hosts: ServerNames
    """Its nodes, or its load balancer."""
    port: Port = 9200
    """The port of all of them."""


class S3Sink(Sink):
    """A bucket with object lock. Its Secret ``audit-s3`` has the keys key_id and key.

    The bucket's own default retention locks each object that arrives: a client that could say how long could also say
    less. The bucket is made elsewhere.
    """

    bucket: BucketName
    """The bucket; versions and object lock with a default retention of mode COMPLIANCE are switched on in it."""
    region: RegionName
    """Its region; the data class audit must allow it."""
    endpoint: ServerName | None = None
    """The server, for a bucket that is not of Amazon."""
    port: Port = 443
    """The port of the server."""
    prefix: KeyPrefix = "api-audit"
    """What the keys of all objects start with."""


class KafkaSink(Sink):
    """Kafka, with SASL over TLS. Its Secret ``audit-kafka`` has the keys user and password."""

    brokers: ServerNames
    """The brokers that are asked first."""
    port: Port = 9093
    """The port of all of them."""
    topic: TopicName = "api-audit"
    """The topic that records are written to."""
    login: LoginChoice = KafkaLogin.SCRAM_SHA_512
    """The SASL mechanism."""


class SplunkSink(Sink):
    """Splunk's HTTP Event Collector, over TLS. Its Secret ``audit-splunk`` has the key token."""

    host: ServerName
    """The collector, or its load balancer."""
    port: Port = 8088
    """The port of that server."""
    index: IndexName = "api-audit"
    """The index that records are written to."""


class DatadogSink(Sink):
    """Datadog's log intake, over TLS. Its Secret ``audit-datadog`` has the key api_key.

    It is never the only sink: its plugin drops what Datadog answers with a client error, such as 403.
    """

    host: ServerName
    """The intake of the account's region, such as http-intake.logs.datadoghq.eu."""
    port: Port = 443
    """The port of that server."""


class SyslogSink(Sink):
    """A SIEM that takes syslog as RFC 3164 has it, one line for each record, over TCP. It has no Secret."""

    host: ServerName
    """The server that takes the records."""
    port: Port = 6514
    """The port of that server."""
    transport: TransportChoice = SyslogTransport.TLS
    """TLS, or TCP inside a network that is encrypted otherwise."""


class AuditSinks(Section):
    """Where audit records go; every sink gets each record. The names of the Secrets are fixed."""

    elasticsearch: ElasticsearchSink | None = None
    """An Elasticsearch cluster."""
    opensearch: OpenSearchSink | None = None
    """An OpenSearch cluster."""
    s3: S3Sink | None = None
    """A bucket with object lock."""
    kafka: KafkaSink | None = None
    """A Kafka cluster."""
    splunk: SplunkSink | None = None
    """A Splunk collector."""
    datadog: DatadogSink | None = None
    """The log intake of Datadog."""
    syslog: SyslogSink | None = None
    """A SIEM that takes syslog."""
    private_authority: ObjectName | None = None
    """A ConfigMap in palisade-agents whose key ca.crt has the authorities of the sinks, but for Datadog and buckets of
    Amazon, which show public ones. Default: the public ones."""

    @model_validator(mode="after")
    def _some_sink_loses_nothing(self) -> AuditSinks:
        if [name for name, _ in self.each()] == ["datadog"]:
            what = "Datadog is the only sink, and its plugin drops what Datadog refuses, for example with 403."
            remedy = "add a sink that takes every record or blocks, such as s3"
            refuse([Problem(("datadog",), what, "datadog beside another sink", remedy)])
        return self

    def each(self) -> Iterator[tuple[str, Sink]]:
        """The sinks that are configured, by their kind."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Sink):
                yield name, value
