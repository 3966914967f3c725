"""Compute hosts and their VMs, as the agents report them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.model.attachments import ComputeHost, Vm
from roadstead.store import tables_attachments as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_v, _h = t.vms.c, t.compute_hosts.c


def _vm(row: Any) -> Vm:
    values: dict[str, Any] = {**row, "tags": tuple(row["tags"])}
    return Vm(**values)


def find(tx: Tx, scope: Scope, name_or_id: str) -> list[Vm]:
    """VMs of that id or name that the scope admits; the running one of a migrating pair first.
    A name may be several VMs'."""
    query = (
        t.vms.select()
        .where(sa.or_(_v.id == name_or_id, _v.name == name_or_id), scope.admits(_v.project_id))
        .order_by(_v.running.desc(), _v.updated_at.desc())
    )
    found: dict[str, Vm] = {}
    for row in tx.execute(query).mappings():
        found.setdefault(row["id"], _vm(row))
    return list(found.values())


def find_all(tx: Tx, scope: Scope) -> list[Vm]:
    """The scope's VMs by name."""
    query = t.vms.select().where(scope.admits(_v.project_id)).order_by(_v.name, _v.id)
    return [_vm(row) for row in tx.execute(query).mappings()]


def hosts_of(tx: Tx, vm_id: str) -> dict[str, Vm]:
    """The VM as each host reports it that has it: two, while it migrates."""
    rows = tx.execute(t.vms.select().where(_v.id == vm_id)).mappings()
    return {row["host"]: _vm(row) for row in rows}


def report(tx: Tx, host: str, facts: dict[str, object], vms: Sequence[Vm]) -> None:
    """The host and exactly these VMs are what the tables say of it."""
    now = utcnow()
    done = tx.execute(
        t.compute_hosts.update().where(_h.host == host).values(facts=facts, heartbeat_at=now)
    )
    if not done.rowcount:
        tx.execute(t.compute_hosts.insert().values(host=host, facts=facts, heartbeat_at=now))
    tx.execute(t.vms.delete().where(_v.host == host))
    if vms:
        rows = [{**msgspec.structs.asdict(vm), "tags": list(vm.tags)} for vm in vms]
        tx.execute(t.vms.insert(), rows)


def host(tx: Tx, name: str) -> ComputeHost | None:
    row = tx.execute(t.compute_hosts.select().where(_h.host == name)).mappings().first()
    return None if row is None else ComputeHost(**row)


def hosts(tx: Tx) -> list[ComputeHost]:
    """Every compute host by name."""
    query = t.compute_hosts.select().order_by(_h.host)
    return [ComputeHost(**row) for row in tx.execute(query).mappings()]
