"""A registry pod from inside: where it listens, what runs in it, its kernel settings, and who reaches whom."""

import json

from palisade.fleet import HostGroup
from palisade.verification import inside, port_forward, registry_pods
from palisade.verification.check import differences, require

ADMIN, APICURIO = 9901, 8080


def test_listens(control, observation, readings, cluster):
    """Each program of the pod listens at these addresses, and nothing else listens in its network."""
    pod = inside.registry_pod(cluster, readings)
    observation.runtime = {pod.name: {name: list(places) for name, places in pod.listens.items()}}
    wanted = {name: sorted(places) for name, places in control.expected["listens"].items()}
    found = observation.runtime[pod.name]
    problems = differences(wanted, found, source=f"the sockets of {pod.name}")
    require([*problems, *(f"{name} listens at {', '.join(found[name])}" for name in found if name not in wanted)])


def test_programs(control, observation, readings, cluster):
    """These programs run in the pod, in these versions as they say themselves, and no other."""
    pod = inside.registry_pod(cluster, readings)
    running = pod.processes

    def answer(port, path):
        return json.loads(port_forward.get(cluster, registry_pods.NAMESPACE, pod.name, port, path).body)

    found = {
        "envoy": answer(ADMIN, "/server_info")["version"].split("/")[1],
        "opa": next(
            line.split()[1] for line in pod.version(inside.POLICY_PROCESS).splitlines() if line.startswith("Version")
        ),
        "apicurio": answer(APICURIO, "/apis/registry/v3/system/info")["version"],
    }
    observation.runtime = {"processes": sorted(running), "versions": found}
    problems = differences(control.expected["versions"], found, source=f"the programs of {pod.name}")
    unknown = sorted(set(running) - set(control.expected["processes"]))
    require([*problems, *(f"{name} runs in {pod.name}" for name in unknown)])


def test_settings(control, observation, readings, cluster):
    """The kernel settings of the pod's network; some of them the Deployment asks for."""
    wanted = control.expected["settings"]
    asked = registry_pods.template(cluster)["securityContext"].get("sysctls") or ()
    observation.file = {one["name"]: one["value"] for one in asked}
    pod = inside.registry_pod(cluster, readings)
    observation.runtime = dict(pod.settings(list(wanted)))
    of_deployment = {name: wanted[name] for name in control.expected["of_deployment"]}
    problems = differences(of_deployment, observation.file, source="the Deployment")
    require([*problems, *differences(wanted, observation.runtime, source=f"the network of {pod.name}")])


def test_paths(control, observation, readings, cluster):
    """Real connections from the registry pod of this node to the hosts of the fleet."""
    wanted = {}
    for group, by_answer in control.expected["answers"].items():
        for host in readings.fleet.in_group(HostGroup(group)):
            ports = {port: answer for answer, listed in by_answer.items() for port in listed}
            wanted[host.name] = (str(host.address), ports)
    pod = inside.registry_pod(cluster, readings)
    found = pod.connect({name: (address, list(ports)) for name, (address, ports) in wanted.items()})
    observation.runtime = found
    require(
        f"{name} is {answer} at port {port} for the pod, expected {wanted[name][1][port]}"
        for name, ports in found.items()
        for port, answer in ports.items()
        if answer != wanted[name][1][port]
    )
