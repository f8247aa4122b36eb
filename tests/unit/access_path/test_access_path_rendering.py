"""Envoy's files: every variant is accepted by Envoy itself, and the same input gives the same bytes."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from palisade.access_path import rendering
from palisade.access_path.model import HOST, POD, AccessPath, Endpoint, Places, Ports, access_path
from palisade.access_path.rendering import DRAIN_SECONDS, FILES, envoy_arguments, render_envoy
from palisade.config import load_configuration
from palisade.config_access import Access, Tokens
from palisade.config_values import TlsVersion
from palisade.errors import ConfigurationError
from palisade.local.certificates import Authority, Subject
from palisade.project import Project
from palisade.registry.model import Apis
from palisade.templates import TEMPLATES

ADDRESS = Tokens(issuer="https://10.77.0.41:8200/v1/identity/oidc", jwks_uri="https://10.77.0.41:8200/keys")
NAME = Tokens(issuer="https://login.example", jwks_uri="https://login.example/keys", audience="others")


def api(name: str, host: str, *operations: tuple[str, str], state: str = "ENABLED") -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0.0",
        "state": state,
        "owner": "tests",
        "git_commit": "0" * 40,
        "upstream": {"host": host, "port": 8080},
        "operations": [{"method": method, "path": path, "roles": ["any"]} for method, path in operations],
    }


MANY = Apis.model_validate(
    {
        "apis": [
            api("two", "two.example", ("GET", "/v1/{a}/b.c"), ("GET", "/v1/x/b.c"), ("POST", "/v1/x/b.c")),
            api("one", "10.0.0.9", ("GET", "/v1/one")),
            api("gone", "10.0.0.9", ("GET", "/v1/gone"), state="DISABLED"),
            api("old", "10.0.0.8", ("GET", "/v1/old"), state="DEPRECATED"),
        ]
    }
)
SAMPLE = AccessPath("test", TlsVersion.TLS_1_3, ADDRESS, Access(), MANY)
VARIANTS = list(
    itertools.product(
        TlsVersion,
        (ADDRESS, NAME),
        (Apis(), MANY),
        (
            Access(),
            Access(required_headers=("x-a", "x-b"), policy_timeout_milliseconds=10),
            Access(required_headers=()),
        ),
    )
)


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    directory = tmp_path_factory.mktemp("places")
    pair = Authority(directory, "tests").issue("edge", Subject("edge", names=("edge.example",)))
    for name, text in (("tls.crt", pair.certificate), ("tls.key", pair.key), ("issuer.crt", pair.certificate)):
        (directory / name).write_text(text)
    (directory / "envoy").mkdir()
    return Places(*(str(directory / name) for name in ("envoy", ".", ".", "opa.sock")))


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_envoy_accepts_every_variant(variant: tuple[TlsVersion, Tokens, Apis, Access], places: Places) -> None:
    minimum_tls, tokens, apis, access = variant
    model = AccessPath(
        "test", minimum_tls, tokens, access, apis, places, Ports("127.0.0.1", 18443, 18444, 18081, 19901)
    )
    _validate(render_envoy(model), places, expected="")


def test_envoy_refuses_what_is_wrong_in_any_file(places: Places) -> None:
    files = dict(render_envoy(replace(SAMPLE, places=places)))
    for name, right, wrong in (
        ("envoy.yaml", "failure_mode_allow", "failure_mode"),
        ("routes.yaml", "safe_regex", "unsafe_regex"),
        ("clusters.yaml", "connect_timeout", "connect_time"),
    ):
        _validate(files | {name: files[name].replace(right, wrong)}, places, expected=wrong)


def _validate(files: Mapping[str, str], places: Places, *, expected: str) -> None:
    """Have Envoy validate the files; those that it would only read later stand in the first one for that."""
    bootstrap = yaml.safe_load(files["envoy.yaml"])
    static = bootstrap["static_resources"]
    clusters = yaml.safe_load(files["clusters.yaml"])["resources"]
    (routes,) = yaml.safe_load(files["routes.yaml"])["resources"]
    for resource in (*clusters, routes):
        del resource["@type"]
    static["clusters"] += clusters
    manager = static["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"], bootstrap["dynamic_resources"]
    manager["route_config"] = {**routes, "validate_clusters": True}
    for name, text in {**files, "all.yaml": json.dumps(bootstrap)}.items():
        (Path(places.configuration) / name).write_text(text)
    command = ["envoy", "--mode", "validate", "--log-level", "error", "--disable-hot-restart"]
    finished = subprocess.run(
        [*command, "--config-path", f"{places.configuration}/all.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if expected:
        assert finished.returncode != 0
        assert expected in finished.stderr
    else:
        assert finished.returncode == 0, finished.stderr


def test_the_same_apis_in_another_order_give_the_same_bytes() -> None:
    turned = Apis(apis=tuple(reversed(MANY.apis)))
    assert render_envoy(SAMPLE) == render_envoy(replace(SAMPLE, apis=turned))
    assert tuple(render_envoy(SAMPLE)) == FILES


def test_a_pod_and_a_host_differ_in_places_only() -> None:
    pod, host = render_envoy(SAMPLE), render_envoy(replace(SAMPLE, places=HOST))
    assert [name for name in FILES if pod[name] != host[name]] == ["envoy.yaml", "certificate.yaml"]
    moved = pod["certificate.yaml"].replace(POD.certificates, HOST.certificates)
    assert moved == host["certificate.yaml"]


def test_a_host_answers_about_its_health_on_loopback_only() -> None:
    project = Project.find(Path(__file__))
    configuration = load_configuration(project, "molecule")
    for places, address in ((POD, "0.0.0.0"), (HOST, "127.0.0.1")):  # noqa: S104 - what a pod's Envoy listens to
        text = render_envoy(access_path(configuration, MANY, places))["envoy.yaml"]
        listeners = {one["name"]: one for one in yaml.safe_load(text)["static_resources"]["listeners"]}
        found = {name: one["address"]["socket_address"]["address"] for name, one in listeners.items()}
        assert found == {
            "apis": "0.0.0.0",  # noqa: S104
            "management": "0.0.0.0",  # noqa: S104
            "health": address,
            "bundle": "127.0.0.1",
        }


def test_exact_paths_come_before_patterns_and_the_rest_is_not_found() -> None:
    (routes,) = yaml.safe_load(render_envoy(SAMPLE)["routes.yaml"])["resources"]
    found = [
        (route["name"], next(iter(route["match"].values())), route.get("route", route.get("direct_response")))
        for route in routes["virtual_hosts"][0]["routes"]
    ]
    two = {"cluster": "api:two.example:8080", "timeout": "15s"}
    assert found == [
        ("/v1/gone", "/v1/gone", {"status": 410}),
        ("/v1/old", "/v1/old", {"cluster": "api:10.0.0.8:8080", "timeout": "15s"}),
        ("/v1/one", "/v1/one", {"cluster": "api:10.0.0.9:8080", "timeout": "15s"}),
        ("/v1/x/b.c", "/v1/x/b.c", two),
        ("/v1/x/b.c", "/v1/x/b.c", two),
        ("/v1/{a}/b.c", {"regex": r"/v1/[^/]+/b\.c"}, two),
        ("unregistered", "/", {"status": 404}),
    ]


def test_what_many_operations_have_in_common_is_written_once() -> None:
    operations = [(method, f"/v1/{number}/{{id}}") for number in range(50) for method in ("GET", "POST")]
    model = replace(SAMPLE, apis=Apis.model_validate({"apis": [api("many", "many.example", *operations)]}))
    routes = render_envoy(model)["routes.yaml"]
    assert (routes.count("string_match"), routes.count("cluster:")) == (2, 1)
    (resource,) = yaml.safe_load(routes)["resources"]
    *found, _ = resource["virtual_hosts"][0]["routes"]
    methods = {(one["match"]["headers"][0]["string_match"]["exact"], one["route"]["cluster"]) for one in found}
    assert len(found) == 100
    assert methods == {("GET", "api:many.example:8080"), ("POST", "api:many.example:8080")}


def test_what_no_config_map_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(map(len, render_envoy(SAMPLE).values()))
    assert size < rendering.LARGEST_BYTES == 2**20
    monkeypatch.setattr(rendering, "LARGEST_BYTES", size)
    assert rendering.render_for_config_map(SAMPLE) == render_envoy(SAMPLE)
    monkeypatch.setattr(rendering, "LARGEST_BYTES", size - 1)
    with pytest.raises(ConfigurationError) as refused:
        rendering.render_for_config_map(SAMPLE)
    assert refused.value.problem == f"Envoy's files have {size:,} bytes (operations: 6, services: 3)."
    assert f"at most {size - 1:,} bytes" in str(refused.value)
    assert "divide the APIs among fleets" in str(refused.value)


def test_a_route_says_which_operation_it_is_and_the_policy_is_told() -> None:
    files = render_envoy(SAMPLE)
    (resource,) = yaml.safe_load(files["routes.yaml"])["resources"]
    *routes, last = resource["virtual_hosts"][0]["routes"]
    places = {route["name"]: route["metadata"]["filter_metadata"] for route in routes}
    assert places["/v1/{a}/b.c"] == {"palisade": {"place": "/v1/{}/b.c"}}
    assert places["/v1/gone"] == {"palisade": {"place": "/v1/gone"}}
    assert "metadata" not in last, "what is unregistered is no operation"
    assert "route_metadata_context_namespaces: [palisade]" in files["envoy.yaml"]


def test_a_service_of_an_api_that_is_gone_is_not_known() -> None:
    only = Apis(apis=(MANY.apis[2],))
    assert replace(SAMPLE, apis=only).upstreams == {}
    assert replace(SAMPLE, apis=MANY).upstreams["api:two.example:8080"] == Endpoint("two.example", 8080)


def test_what_a_policy_is_told_is_what_it_needs() -> None:
    model = replace(SAMPLE, access=Access(required_headers=("x-b", "x-a")))
    chain = yaml.safe_load(render_envoy(model)["envoy.yaml"])["static_resources"]["listeners"][0]["filter_chains"][0]
    filters = {one["name"]: one["typed_config"] for one in chain["filters"][0]["typed_config"]["http_filters"]}
    assert list(filters) == [
        "envoy.filters.http.header_mutation",
        "envoy.filters.http.jwt_authn",
        "envoy.filters.http.ext_authz",
        "envoy.filters.http.router",
    ]
    decision = filters["envoy.filters.http.ext_authz"]
    assert decision["allowed_headers"]["patterns"] == [
        {"exact": "x-palisade-tls-version"},
        {"exact": "x-a"},
        {"exact": "x-b"},
    ]
    assert "with_request_body" not in decision
    assert (decision["failure_mode_allow"], decision["status_on_error"]) == (False, {"code": "ServiceUnavailable"})


def test_the_arguments_name_the_file_and_the_threads() -> None:
    assert envoy_arguments("/etc/envoy")[:2] == ("--config-path", "/etc/envoy/envoy.yaml")
    assert "--concurrency" not in envoy_arguments("/etc/envoy")
    assert " --concurrency 2 " in " ".join(envoy_arguments("/etc/envoy", workers=2))


def test_a_host_starts_envoy_as_a_pod_does() -> None:
    template = Environment(loader=FileSystemLoader(TEMPLATES / "envoy"), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    role = yaml.safe_load((TEMPLATES.parent / "roles/envoy/defaults/main.yml").read_text())
    own = yaml.safe_load((TEMPLATES.parent / "roles/envoy/vars/main.yml").read_text())
    unit = template.get_template("palisade-envoy.service.j2").render({**role, **own, "ansible_managed": "by a test"})
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", unit.replace("\\\n", ""), flags=re.MULTILINE)
    assert command.split() == list(envoy_arguments(HOST.configuration))
    assert own["envoy_folder"] == HOST.configuration
    assert (own["envoy_admin_port"], role["envoy_drain_seconds"]) == (Ports().admin, DRAIN_SECONDS)


def test_what_is_rendered_is_the_same_after_ansible_has_rendered_it() -> None:
    for name, text in render_envoy(replace(SAMPLE, places=HOST)).items():
        again = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True).from_string(text)  # noqa: S701
        assert again.render() == text, name
