"""The registry pods: the Deployment as it is declared live (the file), and the pods that run (the running state)."""

from collections import Counter

from palisade.verification import registry_pods
from palisade.verification.check import differences, require


def test_pods(control, observation, cluster):
    """The Deployment's template and every pod that runs have these settings, and so has each of their containers."""
    template, pods = registry_pods.template(cluster), registry_pods.running(cluster)
    observation.file, observation.runtime, problems = {}, {}, []
    for title, spec, seen in [
        ("the Deployment", template, observation.file),
        *((name, spec, observation.runtime) for name, spec in pods.items()),
    ]:
        found = registry_pods.settings(spec, control.expected.get("pod", {}))
        seen[title] = {"pod": found}
        problems += differences(control.expected.get("pod", {}), found, source=title)
        for container in spec["containers"]:
            of_container = registry_pods.settings(container, control.expected["containers"])
            seen[title][container["name"]] = of_container
            source = f"the container {container['name']} of {title}"
            problems += differences(control.expected["containers"], of_container, source=source)
        names = [container["name"] for container in spec["containers"]]
        if "named" in control.expected and names != control.expected["named"]:
            problems.append(f"the containers of {title} are {', '.join(names)}")
    require(problems if pods else [*problems, "no registry pod runs"])


def test_places(control, observation, cluster):
    """Pods are kept apart, each runs on a node of its own, and zones have about as many as each other."""
    expected = control.expected
    observation.file = registry_pods.settings(registry_pods.template(cluster), expected["pod"])
    problems = differences(expected["pod"], observation.file, source="the Deployment")
    placed = {name: spec["nodeName"] for name, spec in registry_pods.running(cluster).items()}
    zones = registry_pods.zones(cluster, expected["zone_label"])
    observation.runtime = {name: {"node": node, "zone": zones.get(node)} for name, node in placed.items()}
    problems += [
        f"{count} registry pods run on {node}" for node, count in Counter(placed.values()).items() if count > 1
    ]
    problems += [
        f"{name} runs on {node}, which is no registry node" for name, node in placed.items() if node not in zones
    ]
    in_zone = Counter(dict.fromkeys(zones.values(), 0))
    in_zone.update(zones[node] for node in placed.values() if node in zones)
    if in_zone and max(in_zone.values()) - min(in_zone.values()) > expected["most_between_zones"]:
        problems.append(f"the pods are spread over zones as {dict(sorted(in_zone.items()))}")
    require(problems if placed else [*problems, "no registry pod runs"])


def test_object(control, observation, cluster):
    """An object of the registry has these settings."""
    asked = control.expected["object"]
    found = registry_pods.one(cluster, asked["kind"], asked["version"])
    observation.runtime = registry_pods.settings(found, control.expected["settings"])
    require(differences(control.expected["settings"], observation.runtime, source=f"the {asked['kind']} registry"))


def test_images(control, observation, cluster):
    """Every container is named by a digest in the Deployment, and what runs has that digest."""
    named = {each["name"]: each["image"] for each in registry_pods.template(cluster)["containers"]}
    running = registry_pods.digests(cluster)
    observation.file, observation.runtime = named, running
    problems = [f"the container {name} is not there" for name in control.expected["containers"] if name not in named]
    problems += [f"{name} is {image}, without a digest" for name, image in named.items() if "@sha256:" not in image]
    problems += [
        f"{container} of {pod} runs {digest}, and {named.get(container)} is declared"
        for pod, found in running.items()
        for container, digest in found.items()
        if not str(named.get(container)).endswith(f"@{digest}")
    ]
    require(problems if running else [*problems, "no registry pod runs"])
