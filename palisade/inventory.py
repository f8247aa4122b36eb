"""Turns the fleet object into an Ansible inventory."""

from __future__ import annotations

import shlex
from typing import Any

from palisade.errors import ConfigurationError
from palisade.fleet import Fleet, FleetHost, HostGroup


def to_ansible(fleet: Fleet) -> dict[str, Any]:
    """The inventory in the form that ``ansible-inventory --list`` prints; the same fleet gives the same inventory.

    Hosts of a local fleet are reached by name through its own OpenSSH configuration. Elsewhere the bastion is reached
    directly and every other host through the first bastion; how the operator logs in is the operator's own setup.

    Raises:
        ConfigurationError: hosts that need a bastion, and there is none.
    """
    groups = {group.value: {"hosts": [host.name for host in fleet.in_group(group)]} for group in HostGroup}
    return {
        "_meta": {"hostvars": {host.name: _host_variables(fleet, host) for host in fleet.hosts}},
        "all": {
            "children": sorted(groups),
            "vars": {
                # Ansible names its connections by host name only: two fleets with the same names must not share them.
                "ansible_control_path_dir": f"~/.ansible/cp/{fleet.environment}",
                "palisade_environment": fleet.environment,
                "palisade_fleet_network": str(fleet.networks.fleet),
                "palisade_operator_networks": [str(network) for network in fleet.networks.operators],
                "palisade_client_networks": [str(network) for network in fleet.networks.clients],
                "palisade_database_sources": [str(network) for network in fleet.database_sources],
                "palisade_sinks": [sink.model_dump(mode="json") for sink in fleet.sinks],
                "palisade_certificate_hours": fleet.certificate_hours,
                **_cluster_variables(fleet),
            },
        },
        **groups,
    }


def _cluster_variables(fleet: Fleet) -> dict[str, Any]:
    networks = {"palisade_pod_network": fleet.networks.pods, "palisade_service_network": fleet.networks.services}
    variables: dict[str, Any] = {name: str(network) for name, network in networks.items() if network is not None}
    if fleet.api_servers is not None:
        variables["palisade_api_servers"] = [str(address) for address in fleet.api_servers.addresses]
        variables["palisade_api_server_port"] = fleet.api_servers.port
    if fleet.upstreams is not None:
        variables["palisade_upstream_networks"] = [str(network) for network in fleet.upstreams.networks]
        variables["palisade_upstream_ports"] = list(fleet.upstreams.ports)
    if fleet.load_balancer is not None:
        balancer = fleet.load_balancer
        variables["palisade_load_balancer_networks"] = [str(network) for network in balancer.networks]
        variables["palisade_load_balancer_addresses"] = [str(address) for address in balancer.addresses]
        variables["palisade_node_ports"] = list(balancer.node_ports)
        variables["palisade_pod_ports"] = list(balancer.pod_ports)
        variables["palisade_health_check_ports"] = [balancer.health_check_port] if balancer.health_check_port else []
    return variables


def _host_variables(fleet: Fleet, host: FleetHost) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "ansible_host": str(host.address) if fleet.ssh_config is None else host.name,
        "ansible_user": host.ssh_user,
        "ansible_port": host.ssh_port,
        "ansible_python_interpreter": "/usr/bin/python3",
        "palisade_address": str(host.address),
        "palisade_host_group": host.group.value,
    }
    if host.logins:
        variables["palisade_logins"] = list(host.logins)
    optional = {"ansible_ssh_common_args": _ssh_arguments(fleet, host), "palisade_pod_subnet": fleet.pod_subnet(host)}
    return {**variables, **{name: str(value) for name, value in optional.items() if value}}


def _ssh_arguments(fleet: Fleet, host: FleetHost) -> str:
    if fleet.ssh_config is not None:
        return f"-F {shlex.quote(str(fleet.ssh_config))}"
    if host.group is HostGroup.BASTION:
        return ""
    bastion = next(iter(fleet.in_group(HostGroup.BASTION)), None)
    if bastion is None:
        raise ConfigurationError(
            f"{host.name} is only reached through a bastion, and the fleet has none.",
            where=f"fleet object of {fleet.environment}: hosts",
            allowed="at least one host of the group bastion",
            remedy=f"add one to Pulumi.{fleet.environment}.yaml and run: pulumi up --stack {fleet.environment}",
        )
    return f"-o ProxyJump={bastion.ssh_user}@{bastion.address}:{bastion.ssh_port}"
