"""Ten thousand shares written straight into a database, as the service would have left them."""

import datetime

import sqlalchemy as sa

from roadstead.model.ids import new_id
from roadstead.store import tables as t
from roadstead.store.db import Database, utcnow

_PROJECTS = 10
# Not the host of the running agent: it must not look for their bytes.
_POOL, _HOST = "elsewhere@local#memory", "elsewhere"


def fill(url: str, count: int, project_id: str, others: int) -> list[str]:
    """`count` shares of the project, each with a rule, a location and a metadata pair, and
    `others` of other projects; returns the ids of the project's."""
    database = Database(url)
    with database.write() as tx:
        share_type = tx.execute(sa.select(t.share_types.c.id)).scalars().first()
        rows = [_share(n, project_id, share_type) for n in range(count)]
        rows += [
            _share(n, f"{n % _PROJECTS:032x}", share_type) for n in range(count, count + others)
        ]
        tx.execute(t.shares.insert(), rows)
        tx.execute(t.share_instances.insert(), [_instance(n, r) for n, r in enumerate(rows)])
        tx.execute(t.export_locations.insert(), [_location(r) for r in rows])
        tx.execute(t.access_rules.insert(), [_rule(r) for r in rows])
        pairs = [{"share_id": r["id"], "key": "purpose", "value": "bench"} for r in rows]
        tx.execute(t.share_metadata.insert(), pairs)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    database.close()
    return [str(row["id"]) for row in rows[:count]]


def _share(number: int, project_id: str, share_type: str | None) -> dict[str, object]:
    return {
        "id": new_id(),
        "project_id": project_id,
        "user_id": "bench",
        "name": f"share-{number}",
        "description": "made by the benchmark",
        "size_gib": 1,
        "reserved_gib": 1,
        "proto": "NFS",
        "share_type_id": share_type,
        "snapshot_support": True,
        "instance_id": new_id(),
        "created_at": utcnow() - datetime.timedelta(seconds=number),
    }


def _instance(number: int, share: dict[str, object]) -> dict[str, object]:
    return {
        "id": share["instance_id"],
        "share_id": share["id"],
        "host": _POOL,
        "agent_host": _HOST,
        "export_id": number + 1,
        "availability_zone": "nova",
        "status": "available",
        "progress": "100%",
        "created_at": share["created_at"],
    }


def _location(share: dict[str, object]) -> dict[str, object]:
    return {
        "id": new_id(),
        "instance_id": share["instance_id"],
        "path": f"192.0.2.1:/{share['instance_id']}",
        "preferred": True,
        "created_at": share["created_at"],
    }


def _rule(share: dict[str, object]) -> dict[str, object]:
    return {
        "id": new_id(),
        "share_id": share["id"],
        "access_type": "ip",
        "access_to": "10.0.0.1",
        "target": "10.0.0.1/32",
        "access_level": "rw",
        "state": "active",
        "created_at": share["created_at"],
    }
