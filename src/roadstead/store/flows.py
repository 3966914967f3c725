"""Addresses of gateways that stand for one share each, on either side; and those that a standby
gateway on another host has of its own."""

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id
from roadstead.model.share_networks import FlowLease, Lease, Subnet
from roadstead.model.shares import Share
from roadstead.model.states import GatewayRole
from roadstead.store import allocations
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, utcnow

LEVELS = ("rw", "ro")
_STANDBY = GatewayRole.STANDBY  # of a row whose instance is a share server
_f = t.flow_leases.c


def ensure(
    tx: Tx,
    share_server_id: str,
    instance_id: str,
    tenant: Sequence[Subnet],
    storage: Sequence[Subnet],
    sources: Mapping[str, Sequence[str]] | None = None,
) -> list[FlowLease]:
    """The share has an address on each of the tenant's subnets, and on the storage network one per
    access level and address family that both sides have. `sources`, by level: these there and no
    others. DriverError (033): no address is free, or one of these is not; (004): both sides have
    no family in common."""
    families = {_version(s) for s in tenant} & {_version(s) for s in storage}
    if not families:
        raise DriverError("the filer has no address of the share network's kind", detail_id="004")
    wanted = [(s, "share", "") for s in tenant if _version(s) in families]
    there = [(s, level) for s in storage if _version(s) in families for level in LEVELS]
    if sources is None:
        wanted += [(s, level, "") for s, level in there]
    else:
        wanted += [(s, lv, a) for s, lv in there for a in sources.get(lv, ()) if _is_in(a, s)]
    return [_one(tx, share_server_id, instance_id, *one) for one in wanted]


def _one(
    tx: Tx,
    share_server_id: str,
    instance_id: str,
    subnet: Subnet,
    purpose: str,
    address: str = "",
) -> FlowLease:
    segment = subnet.segment
    if segment is None or subnet.cidr is None:
        raise DriverError(f"subnet {subnet.id} names no segment", detail_id="004")
    allocations.lock_wire(tx, segment.wire)
    mine = (_f.instance_id == instance_id, _f.subnet_id == subnet.id, _f.purpose == purpose)
    row = tx.execute(t.flow_leases.select().where(*mine)).mappings().first()
    if row is not None:
        if row["retired"]:
            tx.execute(t.flow_leases.update().where(*mine).values(retired=False))
        return msgspec.structs.replace(FlowLease(**row), retired=False)
    lease = FlowLease(
        id=new_id(),
        share_server_id=share_server_id,
        instance_id=instance_id,
        subnet_id=subnet.id,
        wire=segment.wire,
        purpose=purpose,
        address=_given(tx, segment.wire, address)
        if address
        else allocations.free_address(tx, subnet, segment.wire),
        prefix_length=ipaddress.ip_network(subnet.cidr).prefixlen,
        created_at=utcnow(),
    )
    tx.execute(t.flow_leases.insert().values(**msgspec.structs.asdict(lease)))
    return lease


def _given(tx: Tx, wire: str, address: str) -> str:
    if address in allocations.taken(tx, wire):
        raise DriverError(f"{address} is in use on the storage network", detail_id="033")
    return address


def _is_in(address: str, subnet: Subnet) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(subnet.cidr or "")


def retire(tx: Tx, instance_id: str) -> None:
    """The share's addresses are in use no more, and not free yet."""
    tx.execute(t.flow_leases.update().where(_f.instance_id == instance_id).values(retired=True))


def release(tx: Tx, instance_id: str) -> None:
    """The share's addresses are free."""
    tx.execute(t.flow_leases.delete().where(_f.instance_id == instance_id))


def release_on(tx: Tx, share_server_id: str, subnet_id: str) -> None:
    """No share of the server has an address on that subnet."""
    mine = (_f.share_server_id == share_server_id, _f.subnet_id == subnet_id)
    tx.execute(t.flow_leases.delete().where(*mine))


def of_server(tx: Tx, share_server_id: str) -> list[FlowLease]:
    """Those in use, in the order they were given."""
    return _found(tx, _f.share_server_id == share_server_id)


def of_share(tx: Tx, share: Share) -> list[FlowLease]:
    """Those in use for one share."""
    return _found(tx, _f.instance_id == share.instance_id)


def on_host(tx: Tx, agent_host: str) -> list[FlowLease]:
    """Those in use at the servers of one agent."""
    s = t.share_servers.c
    mine = sa.select(s.id).where(s.host.startswith(f"{agent_host}@", autoescape=True))
    return _found(tx, _f.share_server_id.in_(mine))


def ensure_standby(tx: Tx, share_server_id: str, legs: Sequence[Subnet]) -> list[Lease]:
    """The gateway that stands by for this server has an address on each of these subnets.
    DriverError (033): none is free."""
    found = [_one(tx, share_server_id, share_server_id, leg, _STANDBY) for leg in legs]
    return [_own(lease) for lease in found]


def release_standby(tx: Tx, share_server_id: str) -> None:
    """No gateway stands by for the server; one that does finds out at its next look."""
    mine = (_f.share_server_id == share_server_id, _f.purpose == _STANDBY)
    tx.execute(t.flow_leases.delete().where(*mine))


def standby_of(tx: Tx, share_server_id: str) -> list[Lease]:
    """What the gateway has of its own that stands by for this server; [] when none does."""
    return _standbys(tx, _f.share_server_id == share_server_id)


def standbys_for(tx: Tx, hosts: Sequence[str]) -> list[Lease]:
    """The same for every server at these host@backend."""
    if not hosts:
        return []
    s = t.share_servers.c
    return _standbys(tx, _f.share_server_id.in_(sa.select(s.id).where(s.host.in_(hosts))))


def _standbys(tx: Tx, where: sa.ColumnElement[bool]) -> list[Lease]:
    query = t.flow_leases.select().where(where, _f.purpose == _STANDBY)
    rows = tx.execute(query.order_by(_f.created_at, _f.wire, _f.id)).mappings()
    return [_own(FlowLease(**row)) for row in rows]


def _own(lease: FlowLease) -> Lease:
    return Lease(**{name: getattr(lease, name) for name in Lease.__struct_fields__})


def _found(tx: Tx, where: sa.ColumnElement[bool]) -> list[FlowLease]:
    query = t.flow_leases.select().where(where, sa.not_(_f.retired), _f.purpose != _STANDBY)
    order = (_f.created_at, _f.wire, _f.purpose, _f.id)
    return [FlowLease(**row) for row in tx.execute(query.order_by(*order)).mappings()]


def _version(subnet: Subnet) -> int:
    return ipaddress.ip_network(subnet.cidr or "0.0.0.0/0").version
