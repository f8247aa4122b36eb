"""The node agent and the pods of a node."""

import yaml

from palisade.verification import pods
from palisade.verification.check import differences, require
from palisade.verification.files import text_of
from palisade.verification.programs import expected_places, health_checks, listening

CONFIGURATION = "/etc/palisade/cluster/kubelet.yaml"
NETWORK = "/etc/cni/net.d/10-palisade.conflist"
AUTHORITY = "/etc/palisade/cluster/keys/kubernetes-ca.crt"


def _at(document, path):
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _inside(readings, nodes, cluster):
    return pods.inside(cluster, nodes)[readings.target.name]


def test_kubelet_settings(control, observation, readings, cluster):
    """The kubelet runs with these settings (it says so itself), and its file sets them."""
    wanted = control.expected["settings"]
    file = yaml.safe_load(text_of(readings, CONFIGURATION)) or {}
    name = readings.target.name
    shown = cluster.once(f"configz {name}", lambda: cluster.json(f"/api/v1/nodes/{name}/proxy/configz"))
    observation.file = {path: _at(file, path) for path in wanted}
    observation.runtime = {path: _at(shown["kubeletconfig"], path) for path in wanted}
    problems = differences(wanted, observation.file, source=CONFIGURATION)
    require([*problems, *differences(wanted, observation.runtime, source="the running kubelet")])


def test_kubelet_requests(control, observation, readings):
    """The kubelet answers requests on its port with these statuses, by who asks."""
    url = f"https://{readings.target.address}:10250"
    problems = []
    observation.runtime = {}
    for who, wanted in control.expected["answers"].items():
        found = readings.probe("https_get", url, who if who.startswith("/") else "-", *wanted)
        observation.runtime[who] = found
        problems += differences(wanted, found, source=f"the kubelet's answers ({who})")
    require(problems)


def test_kubelet_certificate(control, observation, readings):
    """The kubelet's certificate is of the cluster's authority and names the address of the node."""
    found = readings.probe("tls", str(readings.target.address), "10250", AUTHORITY)
    versions = {version: answer["answer"] for version, answer in found["versions"].items()}
    observation.runtime = {"trusted": found["trusted"], "versions": versions}
    wanted = {"trusted": control.expected["trusted"], "versions": control.expected["versions"]}
    require(differences(wanted, observation.runtime, source="TLS at the kubelet's port"))


def test_listens(control, observation, readings, cluster):
    """Each program listens at these addresses only, and one of them where load balancers ask for pods, too."""
    address, asked = readings.target.address, control.expected["health_checks"]
    wanted = expected_places(control.expected["listens"], address)
    sockets = listening(readings)
    found = {program: sockets.get(program, []) for program in wanted}
    known = health_checks(cluster.objects("Service"), address)
    observation.runtime = {**found, "health checks of Services": sorted(known)}
    found[asked] = [place for place in found[asked] if place not in known]
    require(differences(wanted, found, source="the host's sockets"))


def test_pod_settings(control, observation, readings, nodes, cluster):
    """New pods get these kernel settings: the plugin sets them, and a pod that was just made has them."""
    wanted = control.expected["settings"]
    plugins = yaml.safe_load(text_of(readings, NETWORK))["plugins"]
    observation.file = {name: value for plugin in plugins for name, value in plugin.get("sysctl", {}).items()}
    observation.runtime = _inside(readings, nodes, cluster).settings
    problems = differences(wanted, observation.file, source=NETWORK)
    for namespace, found in observation.runtime.items():
        problems += differences(wanted, found, source=f"a new pod in {namespace}")
    require(problems)


def test_pod_connections(control, observation, readings, nodes, cluster):
    """Real connections from and to pods that were just made: Network Policies are enforced, and nothing else is."""
    found = _inside(readings, nodes, cluster)
    observation.runtime = {**found.connections, "guarded": found.guarded}
    problems = differences(control.expected["connections"], found.connections, source="the network of the pods")
    problems += [
        f"port {port} of {name} is {answer} for a pod in {namespace}, expected {wanted}"
        for namespace, wanted in control.expected["guarded"].items()
        for name, ports in found.guarded[namespace].items()
        for port, answer in ports.items()
        if answer != wanted
    ]
    require(problems)
