"""A project's limits and use on the wire (wire.md#limits)."""

from collections.abc import Mapping
from typing import Any

from roadstead.model.quotas import Usage

# resource: its name in the keys, and the microversion since which it is shown
_NAMES: dict[str, tuple[str, int]] = {
    "shares": ("Shares", 0),
    "snapshots": ("ShareSnapshots", 0),
    "gigabytes": ("ShareGigabytes", 0),
    "snapshot_gigabytes": ("SnapshotGigabytes", 0),
    "share_networks": ("ShareNetworks", 0),
    "share_replicas": ("ShareReplicas", 53),
    "replica_gigabytes": ("ReplicaGigabytes", 53),
    "share_groups": ("ShareGroups", 58),
    "share_group_snapshots": ("ShareGroupSnapshots", 58),
    "backups": ("ShareBackups", 80),
    "backup_gigabytes": ("BackupGigabytes", 80),
}


def limits(found: Mapping[str, Usage], minor: int) -> dict[str, Any]:
    """Use includes what is being made."""
    shown = [(name, found[key]) for key, (name, since) in _NAMES.items() if minor >= since]
    absolute = {f"maxTotal{name}": use.limit for name, use in shown}
    absolute |= {f"total{name}Used": use.in_use + use.reserved for name, use in shown}
    return {"limits": {"rate": [], "absolute": absolute}}
