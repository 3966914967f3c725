"""Share types: who sees which, what they may be, and their extra specs."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound
from roadstead.model.extra_specs import REQUIRED, checked
from roadstead.model.ids import new_id
from roadstead.model.shares import ShareType
from roadstead.service.context import Caller, Service
from roadstead.store import share_types as store
from roadstead.store.db import Tx, utcnow

_PROJECT = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class NewType(msgspec.Struct, frozen=True, kw_only=True):
    """A share type as asked for; spec values as JSON gave them."""

    name: str
    description: str | None = None
    is_public: bool = True
    extra_specs: Mapping[str, Any] = {}


def _reach(tx: Tx, caller: Caller, type_id: str) -> ShareType:
    found = store.get(tx, caller.scope, type_id)
    if found is None:
        raise NotFound(f"share type {type_id} could not be found")
    return found


def _reach_private(tx: Tx, caller: Caller, type_id: str) -> ShareType:
    found = _reach(tx, caller, type_id)
    if found.is_public:
        raise Conflict(f"share type {type_id} is public: every project has access")
    return found


def find_all(
    service: Service,
    caller: Caller,
    *,
    is_public: bool | None = True,
    extra_specs: Mapping[str, str] | None = None,
) -> list[ShareType]:
    """Types by name: for administrators public or private ones (None = both), for others always
    those they may use. `extra_specs` must match; `availability_zones` there means: usable in
    each of these zones."""
    with service.db.read() as tx:
        found = store.find_all(tx, caller.scope, is_public=is_public if caller.is_admin else None)
    return [share_type for share_type in found if _matches(share_type, extra_specs or {})]


def _matches(share_type: ShareType, wanted: Mapping[str, str]) -> bool:
    for key, value in wanted.items():
        have = share_type.extra_specs.get(key)
        if key == "availability_zones":
            if have is not None and not _zones(value) <= _zones(have):
                return False
        elif have != value:
            return False
    return True


def _zones(text: str) -> set[str]:
    return {zone.strip() for zone in text.split(",")}


def get(service: Service, caller: Caller, type_id: str) -> ShareType:
    """By id. NotFound also when it is private and not granted."""
    with service.db.read() as tx:
        return _reach(tx, caller, type_id)


def get_default(service: Service, caller: Caller) -> ShareType:
    """The type of shares that name none. NotFound when there is no such type."""
    with service.db.read() as tx:
        found = store.find(tx, caller.scope, service.default_share_type)
    if found is None:
        raise NotFound("no default share type is configured")
    return found


def create(service: Service, caller: Caller, new: NewType) -> ShareType:
    """BadRequest: a spec is wrong or the required one missing. Conflict: the name is taken."""
    if REQUIRED not in new.extra_specs:
        raise BadRequest(f"extra spec {REQUIRED} is required")
    share_type = ShareType(
        id=new_id(),
        name=new.name,
        description=new.description,
        is_public=new.is_public,
        extra_specs=checked(new.extra_specs),
        created_at=utcnow(),
    )
    with service.db.write() as tx:
        store.insert(tx, share_type)
    return share_type


def update(service: Service, caller: Caller, type_id: str, **changes: Any) -> ShareType:
    """name, description and is_public hold the given values. NotFound; Conflict: name taken."""
    with service.db.write() as tx:
        store.update(tx, _reach(tx, caller, type_id), **changes)
        return _reach(tx, caller, type_id)


def delete(service: Service, caller: Caller, type_id: str) -> None:
    """NotFound; BadRequest while shares use it."""
    with service.db.write() as tx:
        store.delete(tx, _reach(tx, caller, type_id))


def find_projects(service: Service, caller: Caller, type_id: str) -> list[str]:
    """Who may use a private type. NotFound for a public one: there is no such list."""
    with service.db.read() as tx:
        found = _reach(tx, caller, type_id)
        if found.is_public:
            raise NotFound(f"share type {type_id} is public: it has no access list")
        return store.projects(tx, found)


def add_project(service: Service, caller: Caller, type_id: str, project_id: str) -> None:
    """Conflict when the type is public, or granted already."""
    if project_id != caller.project_id and not _PROJECT.fullmatch(project_id):
        raise BadRequest(f"{project_id[:64]!r} is not a project id")
    with service.db.write() as tx:
        store.add_project(tx, _reach_private(tx, caller, type_id), project_id)


def remove_project(service: Service, caller: Caller, type_id: str, project_id: str) -> None:
    """NotFound when it was not granted; Conflict when the type is public."""
    with service.db.write() as tx:
        found = _reach_private(tx, caller, type_id)
        if not store.remove_project(tx, found, project_id):
            raise NotFound(f"project {project_id[:64]} has no access to share type {type_id}")


def merge_specs(
    service: Service, caller: Caller, type_id: str, specs: Mapping[str, Any]
) -> dict[str, str]:
    """These specs hold, others stay; returns them as stored. BadRequest on a wrong one."""
    stored = checked(specs, strict_keys=True)
    with service.db.write() as tx:
        store.merge_specs(tx, _reach(tx, caller, type_id), stored)
    return stored


def remove_spec(
    service: Service, caller: Caller, type_id: str, key: str, *, required: frozenset[str]
) -> None:
    """Forbidden for a required spec; NotFound when it is not there."""
    with service.db.write() as tx:
        found = _reach(tx, caller, type_id)
        if key in required:
            raise Forbidden(f"extra spec {key} is required")
        if not store.remove_spec(tx, found, key):
            raise NotFound(f"share type {type_id} has no extra spec {key}")
