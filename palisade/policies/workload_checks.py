"""The policy pack's checks of pods and of what makes pods. Each yields what breaks the rule, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from palisade.policies.manifests import (
    Manifest,
    containers,
    entries,
    lasting_containers,
    namespace,
    pod_of,
    section,
)
from palisade.policies.rules import Rule
from palisade.policies.settings import AGENTS_NAMESPACE, PolicySettings

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$")
_UNITS = {
    "": Decimal(1),
    **{unit: Decimal(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def image_digest(manifest: Manifest, _: Rule, settings: PolicySettings) -> Iterator[str]:
    """Images without a digest; in a local fleet, images without a fixed tag."""
    images = [(f"container {container.get('name')}", container.get("image")) for container in containers(manifest)]
    images += [
        (f"volume {volume.get('name')}", section(volume, "image").get("reference"))
        for volume in entries(pod_of(manifest), "volumes")
        if "image" in volume
    ]
    for place, image in images:
        reason = _why_not_fixed(str(image or ""), local=settings.local)
        if reason:
            yield f"{place} ({image}) {reason}"


def _why_not_fixed(image: str, *, local: bool) -> str:
    digest = _DIGEST.search(image)
    named = image[: digest.start()] if digest else image
    tag = _TAG.search(named.rpartition("/")[2])
    if tag and tag.group(1) == "latest":
        return "has the tag latest"
    if digest is None:
        return ("has no tag and no digest" if local and not tag else "") if local else "is not named by a digest"
    return ""


def unprivileged(manifest: Manifest, _: Rule, __: PolicySettings) -> Iterator[str]:
    """Privileged containers, and those that could become so."""
    for container in containers(manifest):
        context = section(container, "securityContext")
        if context.get("privileged"):
            yield f"container {container.get('name')} is privileged"
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"container {container.get('name')} may raise its privileges"
        if context.get("procMount", "Default") != "Default":
            yield f"container {container.get('name')} sees all of /proc"


def capabilities(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Capabilities that are not listed, and those that are not dropped."""
    is_agent = namespace(manifest) == AGENTS_NAMESPACE
    allowed = set(rule.parameters["addable_by_agents" if is_agent else "addable"])
    for container in containers(manifest):
        context = section(container, "securityContext")
        surplus = sorted(set(entries(context, "capabilities", "add")) - allowed)
        if surplus:
            yield f"container {container.get('name')} adds {', '.join(surplus)}"
        if "ALL" not in entries(context, "capabilities", "drop"):
            yield f"container {container.get('name')} keeps the capabilities of the container engine"


def host_namespaces(manifest: Manifest, _: Rule, __: PolicySettings) -> Iterator[str]:
    """Pods in the host's network, among its processes or its shared memory."""
    pod = pod_of(manifest)
    yield from (f"{setting} is true" for setting in ("hostNetwork", "hostPID", "hostIPC") if pod.get(setting))


def host_paths(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Directories of the node that are not listed, or not mounted as listed."""
    read_only = set(rule.parameters["read_only_paths"])
    listed = read_only | set(rule.parameters["writable_paths"]) if namespace(manifest) == AGENTS_NAMESPACE else set()
    protected = set()
    for volume in entries(pod_of(manifest), "volumes"):
        if "hostPath" not in volume:
            continue
        path = section(volume, "hostPath").get("path")
        if path not in listed:
            yield f"volume {volume.get('name')} ({path}) is a host path that is not listed"
        elif path in read_only:
            protected.add(volume.get("name"))
    for container in containers(manifest):
        for mount in entries(container, "volumeMounts"):
            if mount.get("name") in protected and not mount.get("readOnly"):
                yield f"container {container.get('name')} can write to {mount.get('mountPath')}"


def non_root(manifest: Manifest, _: Rule, __: PolicySettings) -> Iterator[str]:
    """Containers that are root or might be; node agents are left out."""
    if namespace(manifest) == AGENTS_NAMESPACE:
        return
    of_pod = section(pod_of(manifest), "securityContext")
    for container in containers(manifest):
        context: Mapping[str, Any] = {**of_pod, **section(container, "securityContext")}
        if context.get("runAsNonRoot") is not True:
            yield f"container {container.get('name')} may start as root"
        if context.get("runAsUser") == 0:
            yield f"container {container.get('name')} runs as user 0"


def resources(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Containers without a limit or with a request of zero; containers for debugging cannot have any."""
    for container in lasting_containers(manifest):
        limits, requests = (section(container, "resources", part) for part in ("limits", "requests"))
        for kind in rule.parameters["kinds"]:
            if _quantity(limits.get(kind)) <= 0:
                yield f"container {container.get('name')} has no limit of {kind}"
            if kind in requests and _quantity(requests.get(kind)) <= 0:
                yield f"container {container.get('name')} requests no {kind}"


def _quantity(text: object) -> Decimal:
    """A Kubernetes quantity as a number; zero for what is none, so that it is refused and never passed."""
    match = re.fullmatch(r"\+?([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)", str(text))
    try:
        return Decimal(match.group(1)) * _UNITS[match.group(2)] if match else Decimal(0)
    except (InvalidOperation, KeyError):
        return Decimal(0)
