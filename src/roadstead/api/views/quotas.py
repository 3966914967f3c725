"""Quota sets on the wire (wire.md#quotas)."""

from collections.abc import Mapping
from typing import Any

from roadstead.model.quotas import Usage

# Each resource and the microversion since which it is shown.
SINCE: dict[str, int] = {
    **dict.fromkeys("shares gigabytes snapshots snapshot_gigabytes share_networks".split(), 0),
    **dict.fromkeys("share_groups share_group_snapshots".split(), 40),
    **dict.fromkeys("share_replicas replica_gigabytes".split(), 53),
    "per_share_gigabytes": 62,
    **dict.fromkeys("backups backup_gigabytes".split(), 80),
    "encryption_keys": 90,
}


def limits(found: Mapping[str, int], minor: int) -> dict[str, Any]:
    """The limits that this version knows."""
    return {name: n for name, n in found.items() if minor >= SINCE.get(name, 0)}


def detail(found: Mapping[str, Usage], minor: int) -> dict[str, Any]:
    """Limit and use of every resource that this version knows."""
    return {
        name: {"limit": use.limit, "in_use": use.in_use, "reserved": use.reserved}
        for name, use in found.items()
        if minor >= SINCE.get(name, 0)
    }
