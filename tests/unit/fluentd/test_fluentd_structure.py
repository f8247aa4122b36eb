"""The rendered configuration of every variant: sound as a file, complete for its plugins, and never one that drops."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from fluentd_syntax import Element, parse

from palisade.config_audit import AuditSinks
from palisade.fluentd.model import SECRET_KEYS, Fluentd
from palisade.fluentd.rendering import render_fluentd
from palisade.fluentd.samples import VARIANTS, render_samples

PLUGINS = yaml.safe_load((Path(__file__).parent / "plugins.yaml").read_text(encoding="utf-8"))
SAMPLES = render_samples("prod")
KIND_OF = {"match": "output", "store": "output", "source": "source", "filter": "filter", "parse": "parse"}
OUTPUT_OF = {"kafka": "kafka2", "splunk": "splunk_hec", "syslog": "remote_syslog"}
SEARCH = {"elasticsearch", "opensearch"}


@pytest.fixture(params=sorted(SAMPLES))
def text(request: pytest.FixtureRequest) -> str:
    return SAMPLES[request.param]


@pytest.fixture
def root(text: str) -> Element:
    return parse(text)


def buffered(root: Element) -> Iterator[Element]:
    """The outputs that keep records until a sink has taken them."""
    return (each for each in root.each("store", "match") if each.type not in {"copy", "file", "relabel"})


def label(root: Element, name: str) -> Element:
    (found,) = (section for section in root.sections if (section.name, section.argument) == ("label", name))
    return found


def outputs(root: Element, name: str) -> Iterator[Element]:
    """The outputs that a label's records reach, through other labels too."""
    for store in label(root, name).each("store"):
        if store.type == "relabel":
            yield from label(root, store.parameters["@label"]).each("match")
        else:
            yield store


def test_every_plugin_has_what_it_needs_and_nothing_that_it_does_not_know(root: Element) -> None:
    for section in root.each(*KIND_OF):
        known = PLUGINS[KIND_OF[section.name]][section.type]
        given = {name for name in section.parameters if not name.startswith("@")}
        assert set(known["needs"]) <= given, (section.type, set(known["needs"]) - given)
        assert given <= {*known["needs"], *known["knows"]}, (section.type, given)
        for name, allowed in known.get("values", {}).items():
            assert section.parameters.get(name) in {None, *allowed}, (section.type, name)
        assert {inner.name for inner in section.sections} <= {*known.get("sections", ())}, section.type


def test_nothing_is_ever_dropped(root: Element, text: str) -> None:
    assert "drop_oldest_chunk" not in text
    outputs = list(buffered(root))
    assert outputs
    for output in outputs:
        buffer = output.one("buffer").parameters
        assert (buffer["@type"], buffer["overflow_action"]) == ("file", "block"), output.type
        assert (buffer["retry_forever"], buffer["flush_at_shutdown"]) == ("true", "true")
        assert (buffer["flush_mode"], buffer["flush_interval"]) == ("interval", "5s")
        assert {"chunk_limit_size", "total_limit_size", "retry_max_interval"} <= set(buffer)
        assert not {"retry_timeout", "retry_max_times", "disable_chunk_backup"} & set(buffer)
        assert output.one("secondary").type == "secondary_file"


def test_what_splunk_refuses_is_sent_again() -> None:
    stores = [each for text in SAMPLES.values() for each in parse(text).each("store") if each.type == "splunk_hec"]
    assert stores
    assert {store.parameters["consume_chunk_on_4xx_errors"] for store in stores} == {"false"}


def test_buffers_positions_and_what_was_refused_have_a_place_of_their_own_on_the_node(root: Element) -> None:
    named = ("path", "directory", "pos_file")
    sections = root.each("buffer", "secondary", "source")
    places = [section.parameters[name] for section in sections for name in named if name in section.parameters]
    own = [place for place in places if not place.startswith("/var/log/")]
    assert len(own) == len(set(own)) >= 5
    assert all(place.startswith("/var/lib/palisade/agents/fluentd/") for place in own)
    identifiers = [section.parameters["@id"] for section in root.each(*KIND_OF) if "@id" in section.parameters]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_sink_gets_audit_records_and_only_those_that_people_search_get_logs(variant: str) -> None:
    root = parse(SAMPLES[f"sample-{variant}.conf"])
    kinds = [kind for kind, _ in VARIANTS[variant].each()]
    wanted = {OUTPUT_OF.get(kind, kind) for kind in kinds}
    assert {output.type for output in outputs(root, "@AUDIT")} == wanted
    searched = wanted & {"elasticsearch", "opensearch", "splunk_hec", "datadog"}
    logs = {output.type for each in root.sections if each.argument == "@LOGS" for output in outputs(root, "@LOGS")}
    assert logs == searched
    labels = {source.parameters["@label"] for source in root.each("source") if "@label" in source.parameters}
    assert labels == {"@AUDIT", "@LOGS"} if searched else {"@AUDIT"}


def test_the_sources_are_envoys_records_the_audit_log_and_other_containers() -> None:
    sources = {each.parameters["@id"]: each for each in parse(SAMPLES["sample-all.conf"]).each("source")}
    assert sources["envoy"].parameters["path"] == "/var/log/containers/*_palisade-registry_envoy-*.log"
    assert sources["kubernetes"].parameters["path"] == "/var/log/kubernetes/audit.log"
    excluded = sources["containers"].parameters["exclude_path"]
    assert sources["envoy"].parameters["path"] in excluded
    assert "/var/log/containers/*_palisade-agents_fluentd-*.log" in excluded
    for name in ("envoy", "kubernetes", "containers"):
        assert sources[name].parameters["read_from_head"] == "true"


@pytest.mark.parametrize(
    ("line", "time", "rest"),
    [
        ('2026-11-22T13:00:00.123456789Z stdout F {"a": 1}', "2026-11-22T13:00:00.123456789Z", '{"a": 1}'),
        ("2026-11-22T13:00:00.1+01:00 stderr P part", "2026-11-22T13:00:00.1+01:00", "part"),
        ("2026-11-22T13:00:00Z stdout F ", "2026-11-22T13:00:00Z", ""),
        ("no line of the runtime", None, None),
    ],
)
def test_lines_of_the_container_runtime_are_read(line: str, time: str | None, rest: str | None) -> None:
    (source, *_) = parse(SAMPLES["sample-all.conf"]).each("source")
    expression = source.one("parse").parameters["expression"].strip("/").replace("(?<", "(?P<")
    match = re.fullmatch(expression, line)
    assert (match and match["time"], match and match["log"]) == (time, rest)


def test_every_object_of_a_bucket_has_a_name_of_its_own_and_none_is_looked_for() -> None:
    (store,) = parse(SAMPLES["sample-s3.conf"]).each("store")
    key = store.parameters["s3_object_key_format"]
    for part in ("NODE_NAME", "#{worker_id}", "%{uuid_flush}", "%{time_slice}"):
        assert part in key
    assert "%{index}" not in key
    settings = {"check_object": "false", "check_bucket": "false", "overwrite": "false", "compute_checksums": "true"}
    assert settings.items() <= store.parameters.items()
    assert "time" in store.one("buffer").argument


@pytest.mark.parametrize("kind", sorted(SEARCH))
def test_indexes_are_in_logstash_format_and_no_document_is_written_twice(kind: str) -> None:
    root = parse(SAMPLES["sample-all.conf"])
    for name, prefix in (("AUDIT", "api-audit"), ("LOGS", "api-audit-logs")):
        own = label(root, f"@{name}_{kind.upper()}")
        (store,), (given,) = own.each("match"), own.each("filter")
        assert (store.type, given.type) == (kind, f"{kind}_genid")
        assert (store.parameters["logstash_format"], store.parameters["logstash_prefix"]) == ("true", prefix)
        assert given.parameters["hash_id_key"] == store.parameters["id_key"]
        assert store.parameters["write_operation"] == "create"


def test_what_a_search_cluster_refuses_for_now_reaches_no_other_sink() -> None:
    """The plugins send such records in again at the start of the label that they are in (emit_stream of its router)."""
    root = parse(SAMPLES["sample-all.conf"])
    for section in root.sections:
        within = [each.type for each in section.each("match", "store")]
        assert len(within) == 1 or not {*within} & SEARCH, section.argument


def document(given: Element, record: Mapping[str, object]) -> str:
    """What the filter hashes (filter_seed_as_record of both plugins), with the tag and the time left out."""
    assert given.parameters["use_record_as_seed"] == "true"
    assert "record_id" not in given.parameters["hash_id_key"]  # Envoy's own stays as it is
    return "_".join(str(record.get(key, "")) for key in given.parameters["record_keys"].split(","))


ENVOY = {"record_id": "0b6f", "method": "GET", "status": 200, "kubernetes": {"pod_name": "registry-a"}}
API_SERVER = {
    "auditID": "chosen-by-the-client",
    "stage": "ResponseComplete",
    "requestReceivedTimestamp": "2026-11-22T13:00:00.000001Z",
    "stageTimestamp": "2026-11-22T13:00:00.000002Z",
    "verb": "get",
    "requestURI": "/api/v1/namespaces/a/secrets/b",
    "user": {"username": "somebody"},
}


@pytest.mark.parametrize("kind", sorted(SEARCH))
def test_an_audit_record_that_is_read_again_is_the_same_document_and_another_one_is_not(kind: str) -> None:
    root = parse(SAMPLES["sample-all.conf"])
    (given,) = label(root, f"@AUDIT_{kind.upper()}").each("filter")
    assert document(given, ENVOY) == document(given, {**ENVOY, "kubernetes": {}, "document_id": "of the first time"})
    assert document(given, ENVOY) != document(given, {**ENVOY, "record_id": "0b70"})
    assert document(given, {"stream": "stderr", "log": "a"}) != document(given, {"stream": "stderr", "log": "b"})
    for key in API_SERVER:
        assert document(given, API_SERVER) != document(given, {**API_SERVER, key: "another"}), key
    (of_logs,) = label(root, f"@LOGS_{kind.upper()}").each("filter")
    assert set(of_logs.parameters) == {"@type", "hash_id_key"}  # what containers write identifies nothing


def test_certificates_are_verified_everywhere(root: Element, text: str) -> None:
    assert not re.search(r"ssl_verify false|insecure_ssl true|verify_mode 0|scheme http$", text, flags=re.MULTILINE)
    for output in buffered(root):
        if output.type == "remote_syslog":
            assert output.parameters.get("tls", "false") == ("true" if "ca_file" in output.parameters else "false")


PUBLIC, PRIVATE = "/etc/ssl/certs/ca-certificates.crt", "/etc/palisade/authority/ca.crt"


@pytest.mark.parametrize(
    ("sample", "authorities"),
    [
        ("all", {PUBLIC}),
        ("all-private", {PRIVATE}),
        ("s3", set()),
        ("s3-elsewhere", {PUBLIC}),
        ("s3-elsewhere-private", {PRIVATE}),
    ],
)
def test_a_private_authority_is_that_of_every_sink_that_can_have_one(sample: str, authorities: set[str]) -> None:
    named = ("ca_file", "ssl_ca_cert", "ssl_ca_bundle")
    outputs = list(buffered(parse(SAMPLES[f"sample-{sample}.conf"])))
    given = {each.type: {each.parameters[key] for key in named if key in each.parameters} for each in outputs}
    assert set().union(*given.values()) == authorities
    assert {name for name, files in given.items() if not files} <= {"datadog", "s3"}


def test_secrets_come_from_the_environment_alone(root: Element, text: str) -> None:
    secret = {"user", "password", "username", "aws_key_id", "aws_sec_key", "hec_token", "api_key"}
    for output in buffered(root):
        for name in secret & set(output.parameters):
            assert re.fullmatch(r"\"#\{ENV\.fetch\('[A-Z0-9_]+'\)\}\"", output.parameters[name]), name
    fetched = set(re.findall(r"ENV\.fetch\('([A-Z0-9_]+)'\)", text)) - {"NODE_NAME"}
    assert fetched <= {f"{kind}_{key}".upper() for kind, keys in SECRET_KEYS.items() for key in keys}


def test_the_same_input_gives_the_same_bytes() -> None:
    assert render_samples("prod") == SAMPLES
    assert render_fluentd(Fluentd("dev", AuditSinks())) != render_fluentd(Fluentd("prod", AuditSinks()))


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("<source>\n</match>\n", "closes"),
        ("<source>\n", "is not closed"),
        ("</source>\n", "closes"),
        ("a 1\na 2\n", "stands twice"),
        ("a 'b\n", "line 1"),
        ("<source\n", "line 1"),
    ],
)
def test_the_reader_notices_what_is_broken(broken: str, problem: str) -> None:
    with pytest.raises(SyntaxError, match=problem):
        parse(broken)
