"""Which number of a configured pool belongs to which project, under the project's own name."""

import sqlalchemy as sa

from roadstead.model.errors import BadRequest
from roadstead.model.network_pools import NetworkPool
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, lock_named

# Of all pools, for giving and taking back: a number never goes to another project while a subnet
# that names it is being made.
_LOCK = "segment numbers"
_n, _b, _l = t.segment_numbers.c, t.subnets.c, t.address_leases.c


def take(tx: Tx, pool: NetworkPool, project_id: str, name: str) -> int | None:
    """The project's number under that name: the one it has, else the lowest that is free. None
    for a flat network, which has none. BadRequest when all are taken."""
    if pool.first is None or pool.last is None:
        return None
    lock_named(tx, _LOCK)
    mine = sa.select(_n.number).where(_n.project_id == project_id, _n.name == name)
    found = tx.execute(mine).scalar()
    if found is not None:
        return int(found)
    here = (_n.kind == pool.kind, _n.physical_network == pool.physical_network)
    numbers = sa.select(_n.number).where(*here, _n.number.between(pool.first, pool.last))
    taken = set(tx.execute(numbers).scalars())
    number = next((n for n in range(pool.first, pool.last + 1) if n not in taken), None)
    if number is None:
        raise BadRequest(f"network {pool.name} has no free segment left")
    tx.execute(
        t.segment_numbers.insert().values(
            kind=pool.kind,
            physical_network=pool.physical_network,
            number=number,
            project_id=project_id,
            name=name,
        )
    )
    return number


def release_unused(tx: Tx, project_id: str) -> None:
    """Numbers that neither a subnet of the project's nor an address of a server names are free."""
    lock_named(tx, _LOCK)
    wire = _n.kind + sa.case((_n.physical_network == "", ""), else_="-" + _n.physical_network)
    wire = wire + "-" + sa.cast(_n.number, sa.String)
    named = sa.exists().where(
        _b.neutron_net_id == _n.name,
        _b.share_network_id == t.share_networks.c.id,
        t.share_networks.c.project_id == _n.project_id,
    )
    leased = sa.exists().where(_l.wire == wire)
    tx.execute(
        t.segment_numbers.delete().where(
            _n.project_id == project_id,
            sa.not_(named.correlate(t.segment_numbers)),
            sa.not_(leased.correlate(t.segment_numbers)),
        )
    )
