"""Pools on the wire (wire.md#pools). Agents report what Roadstead adds: isolation, pool_isolation,
roads."""

from typing import Any

from roadstead.api.views.common import when
from roadstead.model.shares import Pool

# What a pool that says nothing else is like. Agents report over it.
_DEFAULTS: dict[str, object] = {
    "reserved_percentage": 0,
    "reserved_snapshot_percentage": 0,
    "reserved_share_extend_percentage": 0,
    "replication_type": None,
    "replication_domain": None,
    "storage_protocol": "",
    "vendor_name": "Roadstead",
    "driver_version": "1.0",
    "driver_handles_share_servers": False,
    "snapshot_support": False,
    "create_share_from_snapshot_support": False,
    "revert_to_snapshot_support": False,
    "mount_snapshot_support": False,
    "snapshot_inherit_share_access_support": False,
    "dedupe": False,
    "compression": False,
    "sg_consistent_snapshot_support": None,
    "security_service_update_support": False,
    "network_allocation_update_support": False,
    "share_server_multiple_subnet_support": False,
    "share_replicas_migration_support": False,
    "encryption_support": None,
    "qos_type_support": False,
    "ipv4_support": True,
    "ipv6_support": False,
    "qos": False,
}


def summary(pool: Pool) -> dict[str, Any]:
    return {"name": pool.name, "host": pool.host, "backend": pool.backend, "pool": pool.pool}


def detail(pool: Pool) -> dict[str, Any]:
    """With capabilities: what the agent reported, and the row's own numbers."""
    capabilities = {
        **_DEFAULTS,
        "share_backend_name": pool.backend,
        **pool.capabilities,
        "pool_name": pool.pool,
        "total_capacity_gb": pool.total_gib,
        "free_capacity_gb": pool.free_gib,
        "allocated_capacity_gb": pool.allocated_gib,
        "provisioned_capacity_gb": pool.provisioned_gib,
        "timestamp": when(pool.updated_at),
        "availability_zone": pool.availability_zone,
    }
    return {**summary(pool), "capabilities": capabilities}
