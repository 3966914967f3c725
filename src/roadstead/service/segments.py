"""Which segment a subnet's two ids mean (docs/adr/0014).

Without `[networks.<name>]` the ids are taken as they are: another network service knows them.
"""

from typing import Any

from roadstead.model.errors import BadRequest, NotFound
from roadstead.model.network_pools import NetworkPool, parse_addressing
from roadstead.service.context import Service
from roadstead.store import segment_numbers
from roadstead.store.db import Tx


def find_pool(service: Service, project_id: str, neutron_net_id: str | None) -> NetworkPool | None:
    """The configured network of `name` or `name/label`; None where none is configured or asked
    for. BadRequest when it is not for that project, or does not exist: nobody can tell which."""
    if neutron_net_id is None or not service.networks:
        return None
    pool = service.networks.get(neutron_net_id.partition("/")[0])
    if pool is None or not pool.admits(project_id):
        raise BadRequest(f"there is no network {neutron_net_id!r} for this project")
    return pool


def find_names(service: Service, project_id: str) -> list[str]:
    """Names of the configured networks that the project may use."""
    return [name for name, pool in service.networks.items() if pool.admits(project_id)]


def check_network_id(service: Service, project_id: str, neutron_net_id: str) -> None:
    """NotFound when the project cannot name this network."""
    try:
        find_pool(service, project_id, neutron_net_id)
    except BadRequest as error:
        raise NotFound(str(error)) from error


def check_subnet_id(service: Service, neutron_subnet_id: str) -> None:
    """NotFound when this names a subnet of no network. (A configured one is named by its CIDR,
    which could be any network's.)"""
    if service.networks:
        try:
            parse_addressing(neutron_subnet_id)
        except BadRequest as error:
            raise NotFound(str(error)) from error


def resolve(
    service: Service,
    tx: Tx,
    project_id: str,
    neutron_net_id: str | None,
    neutron_subnet_id: str | None,
) -> dict[str, Any]:
    """The columns of a subnet with these ids: the ids, and the segment and addresses they mean.
    BadRequest when only one id is given, or they mean nothing."""
    if (neutron_net_id is None) != (neutron_subnet_id is None):
        raise BadRequest("give both neutron_net_id and neutron_subnet_id, or neither")
    found: dict[str, Any] = {
        "neutron_net_id": neutron_net_id,
        "neutron_subnet_id": neutron_subnet_id,
        **dict.fromkeys("network_type segmentation_id cidr ip_version gateway mtu".split()),
        **dict.fromkeys(("first_address", "last_address")),
        "physical_network": "",
    }
    pool = find_pool(service, project_id, neutron_net_id)
    if pool is None or neutron_net_id is None or neutron_subnet_id is None:
        return found
    addressing = pool.addressing(neutron_subnet_id)
    return found | {
        "network_type": pool.kind,
        "physical_network": pool.physical_network,
        "segmentation_id": segment_numbers.take(tx, pool, project_id, neutron_net_id),
        "mtu": pool.mtu,
        "cidr": addressing.cidr,
        "ip_version": addressing.ip_version,
        "gateway": addressing.gateway,
        "first_address": addressing.first_address,
        "last_address": addressing.last_address,
    }
