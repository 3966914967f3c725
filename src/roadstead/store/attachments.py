"""Attachments and the grants behind them."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.access import AccessRule
from roadstead.model.attachments import Attachment, Grant
from roadstead.model.errors import Conflict
from roadstead.model.queries import AttachmentFilter
from roadstead.store import tables_attachments as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_a, _g = t.attachments.c, t.grants.c


def _attachment(row: Any) -> Attachment:
    return Attachment(**row)


def insert(tx: Tx, attachment: Attachment) -> None:
    """The row is there. Conflict when the VM has this share, or this tag, already."""
    try:
        tx.execute(t.attachments.insert().values(**msgspec.structs.asdict(attachment)))
    except IntegrityError as error:
        raise Conflict(
            f"VM {attachment.vm_name} has share {attachment.share_id}, or a share with the tag "
            f"{attachment.tag!r}, attached already"
        ) from error


def find(tx: Tx, scope: Scope, attachment_id: str) -> Attachment | None:
    """The attachment when the scope admits it."""
    query = t.attachments.select().where(_a.id == attachment_id, scope.admits(_a.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else _attachment(row)


def find_all(tx: Tx, scope: Scope, wanted: AttachmentFilter | None = None) -> list[Attachment]:
    """The scope's attachments that match, oldest first; one statement."""
    wanted = wanted or AttachmentFilter()
    where: list[sa.ColumnElement[bool]] = [scope.admits(_a.project_id)]
    for name in ("share_id", "host", "target_host", "state"):
        if (value := getattr(wanted, name)) is not None:
            where.append(_a[name] == value)
    if wanted.vm is not None:
        where.append(sa.or_(_a.vm_id == wanted.vm, _a.vm_name == wanted.vm))
    query = t.attachments.select().where(*where).order_by(_a.created_at, _a.id)
    return [_attachment(row) for row in tx.execute(query).mappings()]


def count(tx: Tx, scope: Scope) -> int:
    """How many the scope admits."""
    query = sa.select(sa.func.count()).select_from(t.attachments)
    query = query.where(scope.admits(_a.project_id))
    return int(tx.execute(query).scalar_one())


def update(tx: Tx, attachment: Attachment, **values: Any) -> None:
    """These columns hold these values; updated_at is now."""
    update_by_id(tx, attachment.id, **values)


def update_by_id(tx: Tx, attachment_id: str, **values: Any) -> None:
    """As `update`."""
    tx.execute(
        t.attachments.update().where(_a.id == attachment_id).values(**values, updated_at=utcnow())
    )


def delete(tx: Tx, attachment: Attachment) -> None:
    """The row is gone."""
    tx.execute(t.attachments.delete().where(_a.id == attachment.id))


def users(tx: Tx, share_id: str, host: str, level: str | None = None) -> list[Attachment]:
    """Who still needs the share's grant on this host, or its mount at that level: computed from
    rows, so that no count can be wrong after a crash. One that migrates needs both hosts'."""
    query = t.attachments.select().where(
        _a.share_id == share_id,
        sa.or_(_a.host == host, _a.target_host == host),
        sa.not_(_a.unplugged),
    )
    if level is not None:
        query = query.where(_a.access_level == level)
    return [_attachment(row) for row in tx.execute(query).mappings()]


# --- grants -----------------------------------------------------------------------------------


def grant_of(tx: Tx, attachment: Attachment) -> Grant | None:
    """The grant by which the attachment's host reaches the share; None where the bytes are."""
    return find_grant(tx, attachment.share_id, attachment.host)


def find_grant(tx: Tx, share_id: str, host: str) -> Grant | None:
    query = t.grants.select().where(_g.share_id == share_id, _g.host == host)
    row = tx.execute(query).mappings().first()
    return None if row is None else Grant(**row)


def grants_on(tx: Tx, host: str) -> list[Grant]:
    """Every grant of this host."""
    rows = tx.execute(t.grants.select().where(_g.host == host)).mappings()
    return [Grant(**row) for row in rows]


def grant_of_rule(tx: Tx, rule: AccessRule) -> Grant | None:
    """The grant that this rule holds up, if any: such a rule is not the user's to remove."""
    query = t.grants.select().where(_g.access_rule_id == rule.id)
    row = tx.execute(query).mappings().first()
    return None if row is None else Grant(**row)


def insert_grant(tx: Tx, grant: Grant) -> None:
    tx.execute(t.grants.insert().values(**msgspec.structs.asdict(grant)))


def delete_grant(tx: Tx, share_id: str, host: str) -> None:
    tx.execute(t.grants.delete().where(_g.share_id == share_id, _g.host == host))
