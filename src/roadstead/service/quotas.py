"""Quotas of projects, quota classes, and the limits a caller lives in."""

from collections.abc import Mapping

import msgspec

from roadstead.model.errors import BadRequest, Forbidden, NotFound
from roadstead.model.quotas import Usage
from roadstead.service.context import Caller, Service
from roadstead.store import quotas as store
from roadstead.store import share_types
from roadstead.store.db import Tx, lock_project

# Counted per project only.
_NOT_PER_TYPE = frozenset("share_networks share_groups share_group_snapshots".split())


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Whose part of a project's quota: one user's or one share type's (name or id). Such parts
    have no limits of their own yet: the project's hold."""

    user_id: str | None = None
    share_type: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.user_id is None and self.share_type is None


def _check_part(tx: Tx, caller: Caller, part: Part) -> None:
    if part.user_id is not None and part.share_type is not None:
        raise BadRequest("give user_id or share_type, not both")
    if part.share_type is not None and not share_types.find(tx, caller.scope, part.share_type):
        raise NotFound(f"share type {part.share_type} could not be found")


def get(service: Service, caller: Caller, project_id: str, part: Part) -> dict[str, Usage]:
    """Limit and use of every resource. Forbidden for another project."""
    if not caller.is_admin and project_id != caller.project_id:
        raise Forbidden("the quota of another project is not shown")
    with service.db.read() as tx:
        _check_part(tx, caller, part)
        found = store.usage(tx, project_id, service.default_limits)
    dropped: frozenset[str] = _NOT_PER_TYPE if part.share_type is not None else frozenset()
    return {name: use for name, use in found.items() if name not in dropped}


def defaults(service: Service) -> dict[str, int]:
    """What a project without limits of its own gets."""
    return get_class(service, "default")


def update(
    service: Service,
    caller: Caller,
    project_id: str,
    part: Part,
    limits: Mapping[str, int],
    *,
    force: bool = False,
) -> dict[str, int]:
    """The project has these limits; returns all. BadRequest below what is in use, unless forced."""
    with service.db.write() as tx:
        _check_part(tx, caller, part)
        if not part.is_whole:
            raise BadRequest("quotas of users and share types are not supported yet")
        lock_project(tx, project_id)
        if not force:
            _check_use(store.usage(tx, project_id, service.default_limits), limits)
        store.set_limits(tx, project_id, limits)
        return store.limits(tx, project_id, service.default_limits)


def _check_use(have: Mapping[str, Usage], limits: Mapping[str, int]) -> None:
    for name, limit in limits.items():
        used = have[name].in_use + have[name].reserved
        if 0 <= limit < used:
            raise BadRequest(f"{name}: {used} are in use, a limit of {limit} is below that")


def reset(service: Service, caller: Caller, project_id: str, part: Part) -> None:
    """The defaults hold for the project again. A user's or a share type's part has no limits of
    its own, so there is nothing to reset."""
    with service.db.write() as tx:
        _check_part(tx, caller, part)
        if part.is_whole:
            store.delete_limits(tx, project_id)


def get_class(service: Service, class_name: str) -> dict[str, int]:
    """Every limit of a class; an unknown one has the configured limits."""
    with service.db.read() as tx:
        return store.class_limits(tx, class_name, service.default_limits)


def update_class(service: Service, class_name: str, limits: Mapping[str, int]) -> dict[str, int]:
    """The class has these limits; returns all."""
    with service.db.write() as tx:
        store.set_class_limits(tx, class_name, limits)
        return store.class_limits(tx, class_name, service.default_limits)


def own(service: Service, caller: Caller) -> dict[str, Usage]:
    """Limit and use of every resource of the caller's project."""
    with service.db.read() as tx:
        return store.usage(tx, caller.project_id, service.default_limits)
