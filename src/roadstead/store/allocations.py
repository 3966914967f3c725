"""Our own IPAM: addresses of share servers, one per subnet."""

import ipaddress
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id
from roadstead.model.share_networks import Lease, Subnet
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, lock_named, utcnow

_l, _f = t.address_leases.c, t.flow_leases.c


def ensure(tx: Tx, share_server_id: str, subnet: Subnet) -> Lease:
    """The server's address on the subnet: the one it has, else the lowest that nobody has on that
    wire. DriverError (033) when there is none; (004) while the subnet has no segment."""
    segment = subnet.segment
    if segment is None or subnet.cidr is None:
        raise DriverError(f"subnet {subnet.id} names no segment", detail_id="004")
    lock_wire(tx, segment.wire)
    mine = t.address_leases.select().where(
        _l.share_server_id == share_server_id, _l.subnet_id == subnet.id
    )
    row = tx.execute(mine).mappings().first()
    if row is not None:
        return Lease(**row)
    address = free_address(tx, subnet, segment.wire)
    lease = Lease(
        id=new_id(),
        share_server_id=share_server_id,
        subnet_id=subnet.id,
        wire=segment.wire,
        address=address,
        prefix_length=ipaddress.ip_network(subnet.cidr).prefixlen,
        created_at=utcnow(),
    )
    tx.execute(t.address_leases.insert().values(**msgspec.structs.asdict(lease)))
    return lease


def free_address(tx: Tx, subnet: Subnet, wire: str) -> str:
    """The lowest address that neither a server nor a share has on that wire. DriverError (033)
    when there is none. The caller holds the wire's lock."""
    used = taken(tx, wire)
    address = next((a for a in candidates(subnet) if a not in used), None)
    if address is None:
        raise DriverError(f"subnet {subnet.id} ({subnet.cidr}) has no free address",
                          detail_id="033")  # fmt: skip
    return address


def taken(tx: Tx, wire: str) -> set[str]:
    """Every address that a server or a share has on the wire."""
    found = set(tx.execute(sa.select(_l.address).where(_l.wire == wire)).scalars())
    return found | set(tx.execute(sa.select(_f.address).where(_f.wire == wire)).scalars())


def lock_wire(tx: Tx, wire: str) -> None:
    """Nobody else gives out addresses there until `tx` ends."""
    lock_named(tx, f"addresses on {wire}")


def candidates(subnet: Subnet) -> Iterator[str]:
    """The addresses that a server may have, the lowest first: of the allocation range, neither
    the gateway's nor one with a meaning of its own."""
    network = ipaddress.ip_network(subnet.cidr or "")
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.num_addresses > 2:
        first += 1  # the network itself (IPv4), every router of it (RFC 4291 §2.6.1)
        last -= 1 if network.version == 4 else 0
    if subnet.first_address is not None and subnet.last_address is not None:
        first = max(first, int(ipaddress.ip_address(subnet.first_address)))
        last = min(last, int(ipaddress.ip_address(subnet.last_address)))
    kind = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    for number in range(first, last + 1):
        address = str(kind(number))
        if address != subnet.gateway:
            yield address


def of_server(tx: Tx, share_server_id: str) -> list[Lease]:
    """Every address of one server, in the order they were given."""
    query = t.address_leases.select().where(_l.share_server_id == share_server_id)
    return [Lease(**row) for row in tx.execute(query.order_by(_l.created_at, _l.id)).mappings()]


def on_host(tx: Tx, agent_host: str) -> list[Lease]:
    """Every address of the servers of one agent: what its network may have ports for."""
    s = t.share_servers.c
    query = sa.select(t.address_leases).join(t.share_servers, s.id == _l.share_server_id)
    query = query.where(s.host.startswith(f"{agent_host}@", autoescape=True))
    return [Lease(**row) for row in tx.execute(query.order_by(_l.created_at, _l.id)).mappings()]


def release(tx: Tx, share_server_id: str, subnet_id: str) -> None:
    """The server has no address on that subnet. (With the server all of its addresses go.)"""
    tx.execute(
        t.address_leases.delete().where(
            _l.share_server_id == share_server_id, _l.subnet_id == subnet_id
        )
    )
