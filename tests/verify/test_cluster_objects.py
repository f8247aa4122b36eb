"""The live objects of the cluster, as its API server gives them."""

from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from palisade.verification import drift
from palisade.verification.check import differences, not_assessable, require
from palisade.verification.network_policies import denies_everything, flow_of, flows_of

PARALLEL = 4
PALISADE = {"app.kubernetes.io/managed-by": "palisade"}


def _labels(one):
    return one["metadata"].get("labels") or {}


def _is_palisade(one):
    return PALISADE.items() <= _labels(one).items()


def _policies(cluster, namespace):
    return cluster.objects("NetworkPolicy", "networking.k8s.io/v1", namespace=namespace)


def _rows_of(access, rows):
    """The rows that count in this environment; one that is for each sink becomes as many."""
    for row in rows:
        if row.get("only_local") and not access.is_local:
            continue
        if not row.get("for_sinks"):
            yield row
        elif row["to"] == ["sinks"]:
            yield from ({**row, "to": list(found), "ports": [f"TCP {port}"]} for found, port in access.sinks.values())
        elif access.sinks:
            yield row


def test_namespace_labels(control, observation, cluster):
    """Namespaces have these labels."""
    found = {one["metadata"]["name"]: _labels(one) for one in cluster.objects("Namespace")}
    problems = []
    observation.runtime = {}
    for namespace, wanted in control.expected["namespaces"].items():
        labels = found.get(namespace, {})
        observation.runtime[namespace] = {name: labels[name] for name in wanted if name in labels}
        problems += differences(wanted, labels, source=f"the namespace {namespace}")
    require(problems)


def test_default_deny(control, observation, cluster):
    """Each namespace has a policy that denies everything, both ways, for every pod."""
    observation.runtime = {
        namespace: [one["metadata"]["name"] for one in _policies(cluster, namespace) if denies_everything(one)]
        for namespace in control.expected["namespaces"]
    }
    require(f"nothing denies everything in {name}" for name, found in observation.runtime.items() if not found)


def test_allowances(control, observation, cluster):
    """What Network Policies let through in each namespace is exactly this."""
    networks, ports = cluster.access.networks, cluster.access.ports
    problems = []
    observation.runtime = {}
    for namespace, rows in control.expected["flows"].items():
        expected = list(_rows_of(cluster.access, rows))
        wanted = {flow for row in expected if (flow := flow_of(row, networks, ports)).peers}
        found = {flow for policy in _policies(cluster, namespace) for flow in flows_of(policy)}
        observation.runtime[namespace] = [flow.document() for flow in sorted(found)]
        problems += [f"{namespace} lets through: {flow.document()}" for flow in sorted(found - wanted)]
        problems += [f"{namespace} does not let through: {flow.document()}" for flow in sorted(wanted - found)]
    require(problems)


def test_quotas(control, observation, cluster):
    """Each namespace has a quota of each of these; some have a certain value."""
    problems = []
    observation.runtime = {}
    for namespace, wanted in control.expected["namespaces"].items():
        quotas = cluster.objects("ResourceQuota", namespace=namespace)
        hard = {name: value for quota in quotas for name, value in (quota["spec"].get("hard") or {}).items()}
        observation.runtime[namespace] = hard
        problems += [f"{namespace} has no quota of {name}" for name in wanted["limited"] if name not in hard]
        problems += differences(wanted.get("values", {}), hard, source=f"the quota of {namespace}")
    require(problems)


def test_limit_ranges(control, observation, cluster):
    """Each namespace has amounts for containers that do not say what they need, and bounds for all."""
    problems = []
    observation.runtime = {}
    for namespace in control.expected["namespaces"]:
        ranges = cluster.objects("LimitRange", namespace=namespace)
        rows = {row["type"]: row for one in ranges for row in one["spec"]["limits"]}
        observation.runtime[namespace] = rows
        for kind, wanted in control.expected["limits"].items():
            for part, resources in wanted.items():
                missing = set(resources) - set((rows.get(kind) or {}).get(part) or {})
                problems += [f"{namespace} has no {part} of {name} for a {kind}" for name in sorted(missing)]
    require(problems)


def test_priority_classes(control, observation, cluster):
    """Palisade's priority classes have these values, and no class is given to pods that ask for none."""
    classes = cluster.objects("PriorityClass", "scheduling.k8s.io/v1")
    observation.runtime = {one["metadata"]["name"]: one["value"] for one in classes if _is_palisade(one)}
    problems = differences(control.expected["classes"], observation.runtime, source="the priority classes")
    problems += [f"{one['metadata']['name']} is every pod's default" for one in classes if one.get("globalDefault")]
    extra = sorted(set(observation.runtime) - set(control.expected["classes"]))
    require([*problems, *(f"the priority class {name} is there besides" for name in extra)])


def test_default_accounts(control, observation, cluster):
    """The default service account of each namespace gives no pod a token."""
    observation.runtime = {
        namespace: one.get("automountServiceAccountToken")
        for namespace in control.expected["namespaces"]
        for one in cluster.objects("ServiceAccount", namespace=namespace)
        if one["metadata"]["name"] == "default"
    }
    wanted = dict.fromkeys(control.expected["namespaces"], False)
    require(differences(wanted, observation.runtime, source="automountServiceAccountToken of default accounts"))


def test_nodes(control, observation, cluster):
    """Registry nodes, by their role or their taint, have these labels and these taints; there is at least one."""
    wanted = control.expected
    nodes = {
        one["metadata"]["name"]: {
            "labels": {name: _labels(one).get(name) for name in wanted["labels"]},
            "taints": sorted(
                f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"
                for taint in one["spec"].get("taints") or ()
            ),
        }
        for one in cluster.objects("Node")
    }
    # Other nodes may stand beside them. Further taints, such as those of a node that is drained, keep others away too.
    observation.runtime = {
        name: one
        for name, one in nodes.items()
        if one["labels"][wanted["role"]["label"]] == wanted["role"]["value"] or {*wanted["taints"]} & {*one["taints"]}
    }
    count = len(observation.runtime)
    problems = [] if count >= wanted["at_least"] else [f"{count} nodes are registry nodes"]
    for name, found in observation.runtime.items():
        for label, allowed in wanted["labels"].items():
            if not any(fnmatchcase(found["labels"][label] or "", pattern) for pattern in allowed):
                problems.append(f"{label} of {name} is {found['labels'][label]!r}, expected {' or '.join(allowed)}")
        if not {*wanted["taints"]} <= {*found["taints"]}:
            problems.append(f"the taints of {name} are {', '.join(found['taints']) or 'none'}")
    require(problems)


def test_published_ports(control, observation, cluster):
    """Services that are reached from outside have these ports and no others."""
    observation.runtime = {
        drift.title(one): sorted(
            port.get("nodePort" if one["spec"]["type"] == "NodePort" else "port") for port in one["spec"]["ports"]
        )
        for one in cluster.objects("Service")
        if one["spec"]["type"] in {"NodePort", "LoadBalancer"} or one["spec"].get("externalIPs")
    }
    allowed = set(control.expected["ports"])
    require(
        f"{service} publishes {', '.join(map(str, sorted(set(ports) - allowed)))}"
        for service, ports in observation.runtime.items()
        if set(ports) - allowed
    )


def test_no_objects(control, observation, cluster):
    """Objects of these kinds are not there, except the named ones."""
    allowed = control.expected["allowed"]
    found = []
    for row in control.expected["kinds"]:
        objects = cluster.objects(row["kind"], row["version"], namespace=row.get("namespace"))
        matching = [
            one for one in objects if all(one.get(name) == value for name, value in row.get("with", {}).items())
        ]
        found += [drift.title(one) for one in matching if not (one["metadata"].get("ownerReferences"))]
    observation.runtime = found
    require(f"{name} is there" for name in found if name not in allowed)


def test_as_declared(control, observation, cluster):
    """Every object is as the stack declared it: nothing is missing, changed, added or somebody else's."""
    declared = cluster.declared()
    titles = {drift.title(manifest) for manifest in declared}
    kinds = {(manifest["kind"], manifest["apiVersion"]) for manifest in declared}
    live = {drift.title(one): one for kind in kinds for one in cluster.objects(*kind)}
    problems = [f"{name} is missing" for name in sorted(titles - live.keys())]
    present = [manifest for manifest in declared if drift.title(manifest) in live]
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        for found in pool.map(lambda one: _drift(control, cluster, one, live[drift.title(one)]), present):
            problems += found
    problems += [f"{name} is not declared" for name in _undeclared(control, cluster, titles)]
    observation.runtime = {"declared_objects": len(declared), "differences": problems}
    require(problems)


def _drift(control, cluster, manifest, live):
    """How a live object differs from its manifest: by value, and by who owns its fields."""
    owners = control.expected["owners"]
    changed = drift.changed_paths(live, cluster.applied(manifest, _applier(live, owners)))
    foreign = drift.foreign_fields(live, owners, control.expected["field_owners"])
    return [
        *(f"{drift.title(manifest)}: changed at {path}" for path in changed),
        *(
            f"{drift.title(manifest)}: {path} was set by {manager}"
            for manager, paths in foreign.items()
            for path in paths
            if path not in changed
        ),
    ]


def _applier(live, owners):
    """The field manager under which the object was applied."""
    entries = live["metadata"].get("managedFields") or ()
    appliers = [entry["manager"] for entry in entries if entry.get("operation") == "Apply"]
    ours = [name for name in appliers if any(fnmatchcase(name, pattern) for pattern in owners)]
    return ours[0] if ours else "pulumi-palisade"


def _undeclared(control, cluster, titles):
    """Objects that carry Palisade's label, and that neither the stack nor the role of the local cluster declares."""
    for row in control.expected["kinds"]:
        for one in cluster.objects(row["kind"], row["version"]):
            managers = {entry["manager"] for entry in one["metadata"].get("managedFields") or ()}
            by_role = control.expected["role"] in managers
            if _is_palisade(one) and not by_role and drift.title(one) not in titles:
                yield drift.title(one)


def test_record_collector(control, observation, cluster):
    """Records are collected on every node: as many pods are ready as there should be."""
    of_control_nodes = control.expected["of_control_nodes"] if cluster.access.has_control_nodes else []
    daemonsets = [*control.expected["daemonsets"], *of_control_nodes]
    observation.file = {"daemonsets": daemonsets, "left_out": cluster.access.is_local}
    namespace = control.expected["namespace"]
    found = {
        one["metadata"]["name"]: one["status"] for one in cluster.objects("DaemonSet", "apps/v1", namespace=namespace)
    }
    if cluster.access.is_local and not found:
        not_assessable("the image of Fluentd is built where RubyGems can be reached, so a local fleet has none")
    if not cluster.access.is_local and not cluster.access.sinks:
        observation.runtime = {}
        require(["no sink is configured (audit.sinks), so records stay on the nodes"])
    observation.runtime = {
        name: {word: found.get(name, {}).get(word, 0) for word in ("desiredNumberScheduled", "numberReady")}
        for name in daemonsets
    }
    require(
        f"{name}: {seen['numberReady']} of {seen['desiredNumberScheduled']} pods are ready"
        for name, seen in observation.runtime.items()
        if name not in found or not 0 < seen["desiredNumberScheduled"] == seen["numberReady"]
    )
    if not cluster.access.has_control_nodes:
        not_assessable(
            "Fluentd is ready on every node; whether the audit log of the API server is collected is not shown by a"
            " control plane that a cloud manages (cluster.control_plane): look at the cloud's own logging"
        )
