"""Share networks, security services and pools that handle share servers, for tests of the API."""

from typing import Any

import sqlalchemy as sa

from roadstead.model.network_pools import NetworkPool, parse_addressing
from roadstead.model.share_networks import ShareServer
from roadstead.store import pools, share_servers, tables
from tests.factories import World
from tests.unit.api.client import FOREIGN, Client

# What an administrator may have configured.
POOLS = {
    "tenants": NetworkPool(name="tenants", kind="vxlan", first=1000, last=1001, mtu=1450),
    "theirs": NetworkPool(
        name="theirs", kind="vlan", physical_network="phys", first=7, last=7, projects=(FOREIGN,)
    ),
    "lan": NetworkPool(
        name="lan",
        kind="flat",
        physical_network="phys",
        subnets=(parse_addressing("10.0.1.0/24,10.0.1.1,10.0.1.200-10.0.1.201"),),
    ),
}
DHSS = {"driver_handles_share_servers": "True"}


def handle_servers(world: World, **capabilities: object) -> None:
    """Every pool handles share servers from now on. Operations only pile up."""
    world.engine.stop()
    with world.db.write() as tx:
        for pool in pools.find_all(tx):
            able = {
                **pool.capabilities,
                "driver_handles_share_servers": True,
                "security_service_update_support": True,
                "network_allocation_update_support": True,
                **capabilities,
            }
            row = tables.pools.update().where(tables.pools.c.name == pool.name)
            tx.execute(row.values(capabilities=able))


def add_type(admin: Client, name: str = "dhss", **specs: str) -> str:
    """A share type of shares that live on share servers."""
    wanted = {"name": name, "extra_specs": {**DHSS, **specs}}
    made = admin.at(99).post("/types", {"share_type": wanted})
    assert made.status_code == 200, made.text
    return made.json["share_type"]["id"]


def add_network(client: Client, cidr: str | None = "10.0.0.0/24", **fields: Any) -> dict[str, Any]:
    """A share network; on a segment of the project's own unless `cidr` is None."""
    ids = {} if cidr is None else {"neutron_net_id": "tenants", "neutron_subnet_id": cidr}
    made = client.at(99).post("/share-networks", {"share_network": {"name": "n", **ids, **fields}})
    assert made.status_code == 200, made.text
    return made.json["share_network"]


def add_subnet(client: Client, network_id: str, **fields: Any) -> dict[str, Any]:
    """One more subnet."""
    path, body = f"/share-networks/{network_id}/subnets", {"share-network-subnet": fields}
    made = client.at(99).post(path, body)
    assert made.status_code == 200, made.text
    return made.json["share_network_subnet"]


def add_security_service(client: Client, kind: str = "ldap", **fields: Any) -> dict[str, Any]:
    made = client.at(99).post("/security-services", {"security_service": {"type": kind, **fields}})
    assert made.status_code == 200, made.text
    return made.json["security_service"]


def act(client: Client, network_id: str, action: str, **arguments: Any) -> Any:
    """The answer to an action on a share network."""
    return client.post(f"/share-networks/{network_id}/action", {action: arguments})


def add_share(client: Client, network_id: str, **fields: Any) -> Any:
    """The answer to a request for a share on the network."""
    wanted = {"share_proto": "NFS", "size": 1, "share_type": "dhss", "share_network_id": network_id}
    return client.post("/shares", {"share": {**wanted, **fields}})


def servers(world: World) -> list[ShareServer]:
    """Every share server, the oldest first."""
    with world.db.read() as tx:
        return share_servers.on_host(tx, "node1")[::-1]


def settle(world: World, status: str = "active") -> None:
    """As agents would: every operation on a share server is over, and all are in this state."""
    with world.db.write() as tx:
        tx.execute(
            tables.operations.update()
            .where(tables.operations.c.verb.startswith("share_server."))
            .values(state="done")
        )
        for server in share_servers.on_host(tx, "node1"):
            share_servers.update(tx, server, status=status)
        tx.execute(sa.text(f"UPDATE share_networks SET status = '{status}'"))  # noqa: S608
        tx.execute(tables.share_instances.update().values(status="available"))
        tx.execute(tables.operations.update().values(state="done"))
