"""Quota resources and their built-in limits (wire.md#quotas); -1 = unlimited."""

import msgspec

DEFAULT_LIMITS: dict[str, int] = {
    "shares": 50,
    "gigabytes": 1000,
    "snapshots": 50,
    "snapshot_gigabytes": 1000,
    "share_networks": 10,
    "share_groups": 50,
    "share_group_snapshots": 50,
    "share_replicas": 100,
    "replica_gigabytes": 1000,
    "per_share_gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
    "encryption_keys": 100,
}


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """`in_use` counts what is there, `reserved` what is being made or extended."""

    limit: int
    in_use: int = 0
    reserved: int = 0
