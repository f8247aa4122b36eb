"""The packet filter: what is loaded, what the file would load, and what real connections meet."""

import json
from ipaddress import ip_address, ip_network

from palisade.fleet import HostGroup
from palisade.verification.admission import Admission, deviations
from palisade.verification.check import require
from palisade.verification.forwarding import Passage, forwarding_deviations
from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet

FILE = "/etc/palisade/firewall.nft"
LIVE = "nft -j list table inet palisade"
# The file is loaded into an empty network namespace, where it decides about nobody's packets.
FROM_FILE = f"unshare --net sh -c 'nft -f {FILE} && {LIVE}'"


def _rule_sets(readings):
    def read(command):
        status, text = readings.status_and_output(command)
        return RuleSet.parse(json.loads(text) if status == 0 else {}, family="inet", table="palisade")

    return {
        "the file": readings.once("firewall file", lambda: read(FROM_FILE)),
        "the loaded rules": readings.once("firewall live", lambda: read(LIVE)),
    }


def _observe(observation, readings, judge):
    """Judge both rule sets in the same way; what is found in each is recorded and returned as problems."""
    found = {name: judge(rules) for name, rules in _rule_sets(readings).items()}
    observation.file, observation.runtime = (entries or "as expected" for entries in found.values())
    return [f"{sentence} by {name}" for name, entries in found.items() for sentence in entries]


def _networks(names, readings):
    fleet = readings.fleet
    known = {
        "anywhere": [ip_network("0.0.0.0/0")],
        "operators": fleet.networks.operators,
        "clients": fleet.networks.clients,
        "load-balancers": fleet.load_balancer.networks if fleet.load_balancer else [],
        "fleet": [fleet.networks.fleet],
    }
    known |= {group.value: [ip_network(host.address) for host in fleet.in_group(group)] for group in HostGroup}
    known["nodes"] = known["registry"] or fleet.database_sources
    servers = fleet.api_servers
    known["api-servers"] = [ip_network(each) for each in servers.addresses] if servers else known["control"]
    known["upstreams"] = fleet.upstreams.networks if fleet.upstreams else []
    known["pods"] = [network for network in [fleet.networks.pods] if network is not None]
    known["routed-pods"] = [] if fleet.has_cluster else known["pods"]
    subnet = fleet.pod_subnet(readings.target)
    known["own-pods"] = known["pods"] if subnet is None else [subnet]
    if "resolvers" in names:
        known["resolvers"] = [ip_network(address) for address in _resolvers(readings)]
    return tuple(network for name in names for network in known[name])


def _resolvers(readings):
    words = [line.split() for line in readings.output("cat /etc/resolv.conf").splitlines()]
    addresses = [ip_address(line[1]) for line in words if line[:1] == ["nameserver"]]
    return [address for address in addresses if address.version == 4 and not address.is_loopback]


def _admissions(entries, readings):
    return [
        Admission(protocol, port, networks=_networks(names, readings))
        for kind, names in entries.items()
        for protocol, port in _protocols_and_ports(kind, readings.fleet)
    ]


def _protocols_and_ports(kind, fleet):
    """``tcp 443`` is a port of a protocol, ``tcp`` all of them; a word are the fleet's ports of that name."""
    protocol, _, port = kind.partition(" ")
    balancer = fleet.load_balancer
    named = {
        "": [None],
        "node-ports": balancer.node_ports if balancer else [],
        "pod-ports": balancer.pod_ports if balancer else [],
        "health-check": [balancer.health_check_port] if balancer and balancer.health_check_port else [],
        "api-servers": [fleet.api_servers.port if fleet.api_servers else 6443],
        "upstreams": fleet.upstreams.ports if fleet.upstreams else [],
    }
    return [(protocol, each) for each in (named[port] if port in named else [int(port)])]


def _traffic(observation, readings, hook, entries):
    admissions = _admissions(entries, readings)
    own = readings.target.address
    return _observe(observation, readings, lambda rules: deviations(rules, hook, admissions, own=own))


def test_inbound(control, observation, readings, network):
    """The rules admit exactly this, and real connections from the fleet's other places show it."""
    problems = _traffic(observation, readings, "input", control.expected["admits"])
    attempts = []
    for attempt in control.expected["attempts"]:
        if not _has(attempt["from"], readings):
            attempts.append(f"from {attempt['from']}: the fleet has no such host")
            continue
        source = _source(attempt["from"], readings)
        answers = network.attempt(source, readings.target, attempt["to"])
        for port, answer in answers.items():
            attempts.append(f"from {attempt['from']} to {port}: {answer}")
            wanted = {"answered": {"open", "refused"}}.get(attempt["answer"], {attempt["answer"]})
            if answer not in wanted:
                problems.append(f"a connection from {attempt['from']} to port {port} met {answer}")
    observation.runtime = {"rules": observation.runtime, "connections": attempts}
    require(problems)


def _has(name, readings):
    return name == "operator" or bool(readings.fleet.in_group(HostGroup(name)))


def _source(name, readings):
    if name == "operator":
        return None
    return next(host for host in readings.fleet.in_group(HostGroup(name)) if host.name != readings.target.name)


def test_outbound(control, observation, readings):
    """The rules let exactly this out."""
    admits = control.expected["admits"]
    entries = admits["all"] | admits.get(readings.target.group.value, {})
    require(_traffic(observation, readings, "output", entries))


def _asked(kind, readings):
    """The addresses at which a published port is asked for: node ports are ports of the host's own address only."""
    balancer = readings.fleet.load_balancer
    others = balancer.addresses if balancer and kind != "tcp node-ports" else ()
    return (readings.target.address, *others)


SHOWN = 10
"""How many of the ways that pass and should not are named; one wrong rule opens hundreds."""


def test_forwarded(control, observation, readings):
    """The rules let exactly this pass through the host."""
    passages = [
        Passage(
            protocol,
            port,
            sources=_networks([entry["from"]], readings),
            destinations=_networks([entry["to"]], readings),
            asked=_asked(kind, readings) if "published" in entry else (),
        )
        for entry in control.expected["passes"].get(readings.target.group.value, [])
        for kind in entry.get("published") or entry["traffic"]
        for protocol, port in _protocols_and_ports(kind, readings.fleet)
    ]
    if readings.target.group.value in control.expected["sinks_of"]:
        pods = _networks(["own-pods"], readings)
        passages += [Passage("tcp", sink.port, pods, sink.networks) for sink in readings.fleet.sinks]
    own = readings.target.address
    require(_observe(observation, readings, lambda rules: forwarding_deviations(rules, passages, own=own)[:SHOWN]))


def test_default(control, observation, readings):
    """What happens to a packet that no rule decides about."""
    hook, wanted = control.expected["hook"], control.expected["policy"]

    def judge(rules):
        if rules.base_chain(hook) is None:
            return [f"nothing filters at {hook}"]
        return [] if rules.policy(hook) == wanted else [f"the policy of {hook} is {rules.policy(hook)}"]

    require(_observe(observation, readings, judge))


def _packet(entry, readings):
    fields = dict(entry)
    source = ip_address(fields.pop("from"))
    return Packet(source=source, destination=ip_address(fields.pop("to", str(readings.target.address))), **fields)


def test_packets(control, observation, readings):
    """What happens to certain packets."""
    hook = control.expected["hook"]

    def judge(rules):
        def accepted(entry):
            decision = rules.decide(hook, _packet(entry, readings))
            return decision.verdict == "accept" and not decision.by_policy

        expected = control.expected
        dropped = [f"{_words(entry)} is dropped" for entry in expected["accept"] if not accepted(entry)]
        return dropped + [f"{_words(entry)} is accepted" for entry in expected["drop"] if accepted(entry)]

    require(_observe(observation, readings, judge))


def _words(entry):
    return " ".join(f"{name} {value}" for name, value in entry.items())


def test_ssh_limit(control, observation, readings):
    """Below the limit a new SSH connection from where it is admitted passes, above it does not."""
    networks = {HostGroup.BASTION: ["operators"]}.get(readings.target.group, ["bastion"])
    source = _networks(networks, readings)[0][0]
    rate, _, per = control.expected["limit"].partition("/")

    def judge(rules):
        packet = Packet(source=source, destination=readings.target.address, protocol="tcp", port=22)
        over = Packet(source=source, destination=readings.target.address, protocol="tcp", port=22, over_limit=True)
        sentences = []
        if rules.decide("input", packet).verdict != "accept":
            sentences.append("a new SSH connection is dropped")
        decision = rules.decide("input", over)
        if decision.verdict == "accept" and not decision.by_policy:
            sentences.append("an SSH connection above the limit is accepted")
        wanted = {"rate": int(rate), "burst": control.expected["burst"], "per": per}
        limits = [{name: limit.get(name) for name in wanted} for limit in _source_limits(rules)]
        if wanted not in limits:
            sentences.append(f"no limit of {rate} a {per} per source address is kept")
        return sentences

    require(_observe(observation, readings, judge))


def _source_limits(rules):
    bodies = [
        expression.get("set") or expression.get("meter")
        for expressions in rules.every_rule()
        for expression in expressions
    ]
    found = []
    for body in filter(None, bodies):
        statements = body.get("stmt", [])
        statements = statements if isinstance(statements, list) else [statements]
        found += [statement["limit"] for statement in statements if "limit" in statement]
    return found


def test_logging(control, observation, readings):
    """The rules that log have these prefixes and this limit."""
    rate, _, per = control.expected["limit"].partition("/")

    def judge(rules):
        limited = {}
        for expressions in rules.every_rule():
            words = {name: body for expression in expressions for name, body in expression.items()}
            if "log" in words:
                limit = words.get("limit", {})
                limited[words["log"].get("prefix")] = (limit.get("rate"), limit.get("per")) == (int(rate), per)
        sentences = []
        for prefix in control.expected["prefixes"]:
            if prefix not in limited:
                sentences.append(f"nothing is logged as {prefix.strip()}")
            elif not limited[prefix]:
                sentences.append(f"{prefix.strip()} is logged without the limit of {control.expected['limit']}")
        return sentences

    require(_observe(observation, readings, judge))
