"""Access rules of shares."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.access import AccessRule, LockOwner, canonical_target
from roadstead.model.errors import BadRequest
from roadstead.model.queries import RuleFilter
from roadstead.model.shares import Share
from roadstead.store import key_values
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_a, _s = t.access_rules.c, t.shares.c
_SELECT = sa.select(
    _a.id, _a.share_id, _a.access_type, _a.access_to, _a.access_level, _a.state, _a.access_key,
    _a.created_at, _a.updated_at,
).join_from(t.access_rules, t.shares, _s.id == _a.share_id)  # fmt: skip
_k = t.resource_locks.c
_LOCK = tuple(LockOwner.__struct_fields__)
# With who hides it: there is one such lock at most.
_WITH_LOCK = _SELECT.add_columns(*(_k[name] for name in _LOCK)).outerjoin(
    t.resource_locks, sa.and_(_k.resource_id == _a.id, _k.resource_action == "show")
)


def insert(tx: Tx, rule: AccessRule) -> None:
    """The rule's row is there. BadRequest when the share has one for the same target."""
    row = msgspec.structs.asdict(rule)
    metadata = row.pop("metadata")
    del row["hidden_by"]  # a lock has a row of its own
    target = canonical_target(rule.access_type, rule.access_to)
    try:
        tx.execute(t.access_rules.insert().values(**row, target=target))
    except IntegrityError as error:
        raise BadRequest(
            f"share {rule.share_id} already has a rule for {rule.access_type} {rule.access_to}"
        ) from error
    key_values.insert(tx, t.access_rule_metadata, rule.id, metadata)


def _rule(row: sa.RowMapping, metadata: dict[str, str]) -> AccessRule:
    plain = dict(row)
    owner = {name: plain.pop(name) for name in _LOCK}
    hidden_by = None if owner["lock_context"] is None else LockOwner(**owner)
    return AccessRule(**plain, metadata=metadata, hidden_by=hidden_by)


def get(tx: Tx, scope: Scope, rule_id: str) -> AccessRule | None:
    """The rule when the scope admits its share, else None."""
    query = _WITH_LOCK.where(_a.id == rule_id, scope.admits(_s.project_id))
    row = tx.execute(query).mappings().first()
    if row is None:
        return None
    return _rule(row, key_values.read(tx, t.access_rule_metadata, rule_id))


def of_share(tx: Tx, scope: Scope, share_id: str, wanted: RuleFilter) -> list[AccessRule]:
    """The share's rules, oldest first; two statements."""
    where: list[sa.ColumnElement[bool]] = [_a.share_id == share_id, scope.admits(_s.project_id)]
    for name in ("access_type", "access_level", "id"):
        if (value := getattr(wanted, name)) is not None:
            where.append(_a[name] == value)
    if wanted.access_to is not None:
        where.append(_a.target == canonical_target(wanted.access_type or "", wanted.access_to))
    where += key_values.matching(t.access_rule_metadata, _a.id, wanted.metadata)
    rows = tx.execute(_WITH_LOCK.where(*where).order_by(_a.created_at, _a.id)).mappings().all()
    found = key_values.read_many(tx, t.access_rule_metadata, (row["id"] for row in rows))
    return [_rule(row, found.get(row["id"], {})) for row in rows]


def find_target(tx: Tx, share_id: str, access_type: str, access_to: str) -> AccessRule | None:
    """The share's rule for that target, however it is spelled; without metadata."""
    query = _SELECT.where(
        _a.share_id == share_id,
        _a.access_type == access_type,
        _a.target == canonical_target(access_type, access_to),
    )
    row = tx.execute(query).mappings().first()
    return None if row is None else AccessRule(**row)


def keys_of_user(tx: Tx, share: Share, name: str) -> list[str | None]:
    """The sealed keys of the project's rules for that user of the server that exports the share;
    None for a rule that has none yet. One statement."""
    i = t.share_instances.c
    query = sa.select(_a.access_key).join_from(t.access_rules, t.shares, _s.id == _a.share_id)
    query = query.join(t.share_instances, i.share_id == _s.id).where(
        _s.project_id == share.project_id,
        _a.access_type == "user",
        _a.target == canonical_target("user", name),
        i.host == share.host,
        i.share_server_id.is_not_distinct_from(share.share_server_id),
    )
    return list(tx.execute(query).scalars())


def in_share(tx: Tx, share_id: str) -> list[AccessRule]:
    """Every rule of a share without metadata, for the agent; one statement."""
    rows = tx.execute(_SELECT.where(_a.share_id == share_id).order_by(_a.created_at, _a.id))
    return [AccessRule(**row) for row in rows.mappings()]


def in_shares_of_server(tx: Tx, share_server_id: str) -> dict[str, list[AccessRule]]:
    """Rules by share id of every share that a share server exports; one statement."""
    i = t.share_instances.c
    query = _SELECT.join(t.share_instances, i.share_id == _a.share_id)
    query = query.where(i.share_server_id == share_server_id).order_by(_a.created_at, _a.id)
    return _by_share(tx, query)


def in_shares_of_pool(tx: Tx, pool_name: str) -> dict[str, list[AccessRule]]:
    """Rules by share id of every share in the pool host@backend#pool; one statement."""
    i = t.share_instances.c
    query = _SELECT.join(t.share_instances, i.share_id == _a.share_id)
    return _by_share(tx, query.where(i.host == pool_name).order_by(_a.created_at, _a.id))


def _by_share(tx: Tx, query: sa.Executable) -> dict[str, list[AccessRule]]:
    found: dict[str, list[AccessRule]] = {}
    for row in tx.execute(query).mappings():
        found.setdefault(row["share_id"], []).append(AccessRule(**row))
    return found


def update_by_id(tx: Tx, rule_id: str, **values: Any) -> None:
    """These columns of the rule hold these values; updated_at is now."""
    tx.execute(
        t.access_rules.update().where(_a.id == rule_id).values(**values, updated_at=utcnow())
    )


def merge_metadata(tx: Tx, rule: AccessRule, new: Mapping[str, str]) -> None:
    """The rule has these pairs, beside those it had."""
    key_values.merge(tx, t.access_rule_metadata, rule.id, new)


def remove_metadata(tx: Tx, rule: AccessRule, key: str) -> bool:
    """True when there was such a pair; it is gone."""
    return key_values.remove(tx, t.access_rule_metadata, rule.id, [key]) > 0


def delete_by_id(tx: Tx, rule_id: str) -> None:
    """The rule's row is gone, and with it its metadata and its locks."""
    tx.execute(t.access_rules.delete().where(_a.id == rule_id))
