"""Metadata of shares and of export locations (wire.md#metadata).

Some keys are the administrators' own: others can neither write nor remove them, and replacing all
pairs leaves them as they are.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from roadstead.model.errors import Forbidden, NotFound
from roadstead.service import shares
from roadstead.service.context import Caller, Service
from roadstead.store import export_locations as locations
from roadstead.store import shares as share_store
from roadstead.store.db import lock_project

ADMIN_ONLY_SHARE_KEYS = ("__affinity_same_host", "__affinity_different_host", "__managed_at")
PREFERRED = "preferred"
_TRUE = frozenset("1 t true on y yes".split())


class Change(Protocol):
    """From the pairs that are there to those that shall be."""

    def __call__(self, old: dict[str, str], /) -> dict[str, str]: ...


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The resource whose metadata is meant: how to read and how to change its pairs."""

    id: str
    admin_rule: str
    admin_keys: tuple[str, ...]
    read: Callable[[Service, Caller], dict[str, str]]
    change: Callable[[Service, Caller, Change], dict[str, str]]


def share(share_id: str) -> Owner:
    """A share."""

    def read(service: Service, caller: Caller) -> dict[str, str]:
        return shares.get(service, caller, share_id).metadata

    def change(service: Service, caller: Caller, how: Change) -> dict[str, str]:
        with service.db.write() as tx:
            found = shares.reach_own(tx, caller, share_id)
            lock_project(tx, found.project_id)
            old = share_store.get_metadata(tx, found)  # as it is since nobody else writes
            new = how(old)
            share_store.change_metadata(tx, found, old, new)
            return new

    return Owner(
        id=share_id,
        admin_rule="share:update_admin_only_metadata",
        admin_keys=ADMIN_ONLY_SHARE_KEYS,
        read=read,
        change=change,
    )


def export_location(share_id: str, location_id: str) -> Owner:
    """An export location of a share; `preferred` is a pair here, and a column in the database."""

    def read(service: Service, caller: Caller) -> dict[str, str]:
        found = shares.get_export_location(service, caller, share_id, location_id)
        return found.metadata | {PREFERRED: str(found.preferred)}

    def change(service: Service, caller: Caller, how: Change) -> dict[str, str]:
        with service.db.write() as tx:
            owner = shares.reach_own(tx, caller, share_id)
            lock_project(tx, owner.project_id)
            found = locations.find(tx, owner, location_id)
            if found is None:
                raise NotFound(f"export location {location_id} could not be found")
            if found.is_admin_only and not caller.is_admin:
                raise Forbidden("this export location is for administrators")
            old = found.metadata | {PREFERRED: str(found.preferred)}
            new = how(old)
            preferred = new.get(PREFERRED, "").strip().lower() in _TRUE
            if preferred != found.preferred:
                locations.set_preferred(tx, found, preferred)
            locations.change_metadata(tx, found, _plain(new))
            return new

    return Owner(
        id=location_id,
        admin_rule="share_export_location:update_admin_only_metadata",
        admin_keys=(PREFERRED,),
        read=read,
        change=change,
    )


def check_new_share(caller: Caller, new: Mapping[str, str]) -> None:
    """Forbidden when a share is to be made with an administrators' key by somebody else."""
    _check(new, ADMIN_ONLY_SHARE_KEYS, caller, "share:update_admin_only_metadata")


def merge(service: Service, caller: Caller, owner: Owner, new: Mapping[str, str]) -> dict[str, str]:
    """These pairs hold, the others stay; returns all. Forbidden: an administrators' key."""
    _check(new, owner.admin_keys, caller, owner.admin_rule)
    return owner.change(service, caller, lambda old: {**old, **new})


def replace(
    service: Service, caller: Caller, owner: Owner, new: Mapping[str, str]
) -> dict[str, str]:
    """These pairs hold and no others, but what is the administrators' own."""
    keys = owner.admin_keys
    _check(new, keys, caller, owner.admin_rule)

    def how(old: dict[str, str]) -> dict[str, str]:
        kept = {} if caller.can(owner.admin_rule) else {k: old[k] for k in keys if k in old}
        return {**kept, **new}

    return owner.change(service, caller, how)


def read_one(service: Service, caller: Caller, owner: Owner, key: str) -> str:
    """The value. NotFound without such a key."""
    found = owner.read(service, caller)
    if key not in found:
        raise _missing(owner, key)
    return found[key]


def delete(service: Service, caller: Caller, owner: Owner, key: str) -> None:
    """The pair is gone. NotFound when there was none; Forbidden: an administrators' key."""

    def how(old: dict[str, str]) -> dict[str, str]:
        if key not in old:
            raise _missing(owner, key)
        _check((key,), owner.admin_keys, caller, owner.admin_rule)
        return {k: v for k, v in old.items() if k != key}

    owner.change(service, caller, how)


def _missing(owner: Owner, key: str) -> NotFound:
    return NotFound(f"{owner.id} has no metadata {key!r}")


def _check(
    keys: Mapping[str, str] | tuple[str, ...],
    admin_keys: tuple[str, ...],
    caller: Caller,
    rule: str,
) -> None:
    refused = [key for key in keys if key in admin_keys]
    if refused and not caller.can(rule):
        raise Forbidden(f"metadata {', '.join(refused)}: only administrators may change it")


def _plain(found: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in found.items() if k != PREFERRED}
