"""How the cluster is reached: what the provider's configuration, KUBECONFIG and the kubeconfig say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from urllib3 import Retry

from kubernetes_provider.cluster import CONNECTIONS, Cluster
from kubernetes_provider.values import UNKNOWN
from palisade.errors import ConfigurationError

_DEFAULT_KUBECONFIG = "~/.kube/config"
_BUSY_RETRIES = 10


@dataclass(frozen=True)
class Settings:
    """The provider's configuration, as far as it counts here."""

    kubeconfig: str | None = None
    """A path or the content; None: what kubectl would take."""
    context: str | None = None
    namespace: str = "default"
    force: bool = False
    """Whether fields of other managers are taken over."""
    upsert: bool = False
    """Whether creating an object that is already there takes it over."""
    mutable_config_maps: bool = False
    mutable_secrets: bool = False
    is_known: bool = True
    """Whether all of it is known; the cluster itself may only be planned yet."""

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Settings:
        """The settings from the inputs of the provider resource.

        Raises:
            ConfigurationError: something is asked for that this provider cannot do.
        """
        refused = [name for name in ("renderYamlToDirectory",) if inputs.get(name)]
        if _flag(inputs, "enableServerSideApply") is False:
            refused.append("enableServerSideApply: false")
        if refused:
            raise ConfigurationError(
                f"This provider cannot do {', '.join(refused)}.",
                where="the configuration of the Kubernetes provider",
                remedy="install the official plugin: pulumi plugin install resource kubernetes",
            )
        return cls(
            kubeconfig=inputs.get("kubeconfig") or None,
            context=inputs.get("context") or None,
            namespace=inputs.get("namespace") or "default",
            force=bool(_flag(inputs, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE")),
            upsert=bool(_flag(inputs, "upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS")),
            mutable_config_maps=bool(_flag(inputs, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE")),
            mutable_secrets=bool(_flag(inputs, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE")),
            is_known=not any(inputs.get(name) is UNKNOWN for name in ("kubeconfig", "context", "namespace")),
        )


def connect(settings: Settings) -> Cluster:
    """The cluster that the settings name; nothing is sent yet.

    Raises:
        ConfigurationError: the kubeconfig is missing, cannot be read or has no such context.
    """
    # Loading all models of the client takes a second; the server answers before that.
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, load_kube_config, load_kube_config_from_dict  # noqa: PLC0415

    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    # A busy server answers 429 and says when to come back; whatever else fails is not tried again.
    configuration.retries = Retry(
        total=_BUSY_RETRIES,
        connect=0,
        read=0,
        redirect=0,
        other=0,
        status=_BUSY_RETRIES,
        status_forcelist=[429],
        allowed_methods=None,
        raise_on_status=False,
        backoff_factor=0.2,
    )
    kubeconfig = settings.kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG
    is_content = "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")
    try:
        if is_content:
            load_kube_config_from_dict(yaml.safe_load(kubeconfig), settings.context, configuration)
        else:
            kubeconfig = os.pathsep.join(str(Path(part).expanduser()) for part in kubeconfig.split(os.pathsep))
            load_kube_config(kubeconfig, settings.context, configuration, persist_config=False)
    except (ConfigException, yaml.YAMLError, OSError) as error:
        raise ConfigurationError(
            f"The kubeconfig cannot be used: {error}",
            where="the content given to the provider" if is_content else kubeconfig,
            remedy="set kubeconfig and context of the provider, or KUBECONFIG",
        ) from error
    return Cluster(ApiClient(configuration))


def _flag(inputs: Mapping[str, Any], name: str, variable: str = "") -> bool | None:
    value = inputs.get(name, os.environ.get(variable))
    if isinstance(value, str):
        return value.strip().lower() in {"true", "1", "yes", "on"}
    return None if value is None else bool(value)
