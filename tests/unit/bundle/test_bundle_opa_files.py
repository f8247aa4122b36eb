"""OPA's files: what they say, and that the role for hosts writes the same as the function for pods."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from palisade.access_path.opa import OpaSettings, opa_arguments, render_opa
from palisade.templates import text_environment

ROOT = Path(__file__).parents[3]
KEY = "-----BEGIN PUBLIC KEY-----\nMIIB\nabcd\n-----END PUBLIC KEY-----\n"
SETTINGS = OpaSettings(environment="local", verification_key=KEY)


def test_the_configuration() -> None:
    assert yaml.safe_load(render_opa(SETTINGS)["opa.yaml"]) == {
        "labels": {"app": "palisade", "environment": "local"},
        "services": {"bundles": {"url": "http://127.0.0.1:8283", "response_header_timeout_seconds": 5}},
        "bundles": {
            "api": {
                "service": "bundles",
                "resource": "bundle.tar.gz",
                "persist": True,
                "polling": {"min_delay_seconds": 20, "max_delay_seconds": 30},
                "signing": {"keyid": "bundle-signing", "scope": "local"},
            }
        },
        "persistence_directory": "/var/lib/opa",
        "keys": {"bundle-signing": {"algorithm": "RS256", "key": KEY}},
        "plugins": {
            "envoy_ext_authz_grpc": {
                "addr": "unix:///run/opa/grpc.sock",
                "path": "api/compliance/decision",
                "skip-request-body-parse": True,
            }
        },
    }


def test_decisions_are_logged_by_opa_where_that_is_wanted() -> None:
    files = render_opa(replace(SETTINGS, decision_log=True))
    logged = yaml.safe_load(files["opa.yaml"])
    assert logged.pop("decision_logs") == {"console": True, "mask_decision": "system/log/mask"}
    assert logged == yaml.safe_load(render_opa(SETTINGS)["opa.yaml"])


def test_a_pod_and_a_host_get_the_same_files() -> None:
    variables = _variables_of_the_role()
    settings = OpaSettings(
        environment="local", verification_key=KEY, persistence_directory=variables["opa_persistence_directory"]
    )
    rendered = text_environment("opa").get_template("opa.yaml.j2").render(variables)
    assert rendered == render_opa(settings)["opa.yaml"]


def test_a_pod_and_a_host_start_it_in_the_same_way() -> None:
    unit = text_environment("opa").get_template("palisade-opa.service.j2").render(_variables_of_the_role())
    (started,) = re.findall(r"^ExecStart=(.*?[^\\])$", unit, flags=re.MULTILINE | re.DOTALL)
    program, *arguments = started.replace("\\\n", " ").split()
    assert program == "/opt/palisade/bin/opa-envoy-plugin"
    assert tuple(arguments) == opa_arguments("/etc/palisade/opa")


def _variables_of_the_role() -> dict[str, Any]:
    files = [ROOT / "roles/opa" / name for name in ("defaults/main.yml", "vars/main.yml")]
    values = {name: value for file in files for name, value in yaml.safe_load(file.read_text("utf-8")).items()}
    return {
        **values,
        "opa_environment": "local",
        "opa_verification_key": KEY,
        "ansible_managed": "managed",
    }
