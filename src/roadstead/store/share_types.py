"""Share types, their extra specs, and the projects that may use a private one."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import BadRequest, Conflict
from roadstead.model.ids import new_id
from roadstead.model.shares import ShareType
from roadstead.store import key_values
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_t, _p, _s = t.share_types.c, t.share_type_projects.c, t.shares.c


def _visible(scope: Scope) -> sa.ColumnElement[bool]:
    """Public, or granted to the scope's project; everything for `everyone()`."""
    if scope.project_id is None:
        return sa.true()
    granted = sa.exists().where(_p.share_type_id == _t.id, _p.project_id == scope.project_id)
    return sa.or_(_t.is_public, granted)


def _first(tx: Tx, query: sa.Select[Any]) -> ShareType | None:
    """The query's first type with its specs; one statement."""
    found = query.limit(1).subquery()
    specs = t.share_type_specs.c
    rows = tx.execute(
        sa.select(specs.key, specs.value, found)
        .select_from(found)
        .outerjoin(t.share_type_specs, specs.share_type_id == found.c.id)
    ).all()
    if not rows:
        return None
    values = dict(zip(found.c.keys(), rows[0][2:], strict=True))
    return ShareType(**values, extra_specs={row.key: row.value for row in rows if row.key})


def find(tx: Tx, scope: Scope, name_or_id: str) -> ShareType | None:
    """The type of that id, else of that name, if the scope may use it. One statement."""
    query = t.share_types.select().where(
        sa.or_(_t.id == name_or_id, _t.name == name_or_id), _visible(scope)
    )
    return _first(tx, query.order_by(sa.case((_t.id == name_or_id, 0), else_=1)))


def get(tx: Tx, scope: Scope, type_id: str) -> ShareType | None:
    """By id only. One statement."""
    return _first(tx, t.share_types.select().where(_t.id == type_id, _visible(scope)))


def find_all(tx: Tx, scope: Scope, *, is_public: bool | None = None) -> list[ShareType]:
    """The types the scope may use, by name; two statements."""
    query = t.share_types.select().where(_visible(scope)).order_by(_t.name)
    if is_public is not None:
        query = query.where(_t.is_public == is_public)
    rows = tx.execute(query).mappings().all()
    specs = key_values.read_many(tx, t.share_type_specs, (row["id"] for row in rows))
    return [ShareType(**row, extra_specs=specs.get(row["id"], {})) for row in rows]


def insert(tx: Tx, share_type: ShareType) -> None:
    """The type and its specs are there. Conflict when the name is taken."""
    try:
        tx.execute(
            t.share_types.insert().values(
                id=share_type.id,
                name=share_type.name,
                description=share_type.description,
                is_public=share_type.is_public,
                created_at=share_type.created_at,
                updated_at=share_type.updated_at,
            )
        )
    except IntegrityError as error:
        raise Conflict(f"a share type named {share_type.name!r} exists") from error
    key_values.insert(tx, t.share_type_specs, share_type.id, share_type.extra_specs)


def ensure_default(tx: Tx, name: str, extra_specs: Mapping[str, str]) -> None:
    """A type of that name is there; one that exists stays as it is, whatever its specs."""
    if tx.execute(sa.select(_t.id).where(_t.name == name)).first() is None:
        insert(
            tx,
            ShareType(id=new_id(), name=name, extra_specs=dict(extra_specs), created_at=utcnow()),
        )


def update(tx: Tx, share_type: ShareType, **values: Any) -> None:
    """These columns hold these values. Conflict when the name is taken."""
    change = t.share_types.update().where(_t.id == share_type.id)
    try:
        tx.execute(change.values(**values, updated_at=utcnow()))
    except IntegrityError as error:
        raise Conflict(f"a share type named {values.get('name')!r} exists") from error


def delete(tx: Tx, share_type: ShareType) -> None:
    """The type, its specs, grants and quotas are gone. BadRequest while shares use it."""
    in_use = f"share type {share_type.id} is in use by shares"
    if tx.execute(sa.select(_s.id).where(_s.share_type_id == share_type.id).limit(1)).first():
        raise BadRequest(in_use)
    tx.execute(t.quotas.delete().where(t.quotas.c.share_type_id == share_type.id))
    try:
        tx.execute(t.share_types.delete().where(_t.id == share_type.id))
    except IntegrityError as error:  # a share came in between
        raise BadRequest(in_use) from error


def merge_specs(tx: Tx, share_type: ShareType, specs: Mapping[str, str]) -> None:
    """These specs hold; others stay."""
    key_values.merge(tx, t.share_type_specs, share_type.id, specs)


def remove_spec(tx: Tx, share_type: ShareType, key: str) -> bool:
    """True when the spec was there; it is gone."""
    return key_values.remove(tx, t.share_type_specs, share_type.id, [key]) == 1


def projects(tx: Tx, share_type: ShareType) -> list[str]:
    """The projects that a private type is granted to."""
    query = (
        sa.select(_p.project_id).where(_p.share_type_id == share_type.id).order_by(_p.project_id)
    )
    return list(tx.execute(query).scalars())


def add_project(tx: Tx, share_type: ShareType, project_id: str) -> None:
    """The project may use the type. Conflict when it may already."""
    row = {"share_type_id": share_type.id, "project_id": project_id}
    try:
        tx.execute(t.share_type_projects.insert().values(**row))
    except IntegrityError as error:
        raise Conflict(f"project {project_id} has access to share type {share_type.id}") from error


def remove_project(tx: Tx, share_type: ShareType, project_id: str) -> bool:
    """True when the project had been granted the type; now it has not."""
    gone = tx.execute(
        t.share_type_projects.delete().where(
            _p.share_type_id == share_type.id, _p.project_id == project_id
        )
    )
    return gone.rowcount == 1
