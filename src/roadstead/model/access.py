"""Access rules: who may reach a share, at which level."""

import ipaddress
from datetime import datetime

import msgspec


class AccessRule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    share_id: str
    access_type: str  # ip | user | cert | cephx
    access_to: str
    access_level: str  # rw | ro
    state: str
    access_key: str | None = None
    metadata: dict[str, str] = {}
    created_at: datetime
    updated_at: datetime | None = None


def canonical_target(access_type: str, access_to: str) -> str:
    """The spelling by which duplicates are found: an address equals its /32 or /128.

    Text that is no address (or another type's) is returned unchanged.
    """
    if access_type != "ip":
        return access_to
    try:
        return str(ipaddress.ip_network(access_to, strict=False))
    except ValueError:
        return access_to
