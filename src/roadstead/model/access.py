"""Access rules: who may reach a share, at which level."""

import ipaddress
from datetime import datetime

import msgspec


class LockOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Who set a lock."""

    user_id: str
    project_id: str
    lock_context: str  # user | admin | service


class ResourceLock(LockOwner, frozen=True, kw_only=True):
    """Something that cannot be deleted, or not be seen, until its lock is lifted."""

    id: str
    resource_type: str  # share | access_rule
    resource_id: str
    resource_action: str  # delete | show
    lock_reason: str | None = None
    share_id: str
    access_rule_id: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


class AccessRule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    share_id: str
    access_type: str  # ip | user | cert | cephx
    access_to: str
    access_level: str  # rw | ro
    state: str
    access_key: str | None = None
    metadata: dict[str, str] = {}
    hidden_by: LockOwner | None = None  # target and key are for this one's eyes only
    created_at: datetime
    updated_at: datetime | None = None


def canonical_target(access_type: str, access_to: str) -> str:
    """The spelling by which duplicates are found: an address equals its /32 or /128.

    A user's name is in lower case; text that is no address (or another type's) is unchanged.
    """
    if access_type == "user":
        return access_to.lower()  # SMB servers know no case in names
    if access_type != "ip":
        return access_to
    try:
        return str(ipaddress.ip_network(access_to, strict=False))
    except ValueError:
        return access_to
