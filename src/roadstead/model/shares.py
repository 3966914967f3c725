"""Shares, their instances, export locations, types and pools, as the database holds them."""

from datetime import datetime

import msgspec

from roadstead.model.states import RulesStatus


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for, joined with the instance that represents it."""

    id: str
    project_id: str
    user_id: str
    name: str | None = None
    description: str | None = None
    size_gib: int
    proto: str
    is_public: bool = False
    share_type_id: str | None = None
    share_type_name: str | None = None
    snapshot_id: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    snapshot_support: bool = False
    create_share_from_snapshot_support: bool = False
    revert_to_snapshot_support: bool = False
    mount_snapshot_support: bool = False
    replication_type: str | None = None
    task_state: str | None = None
    mount_point_name: str | None = None
    created_at: datetime
    updated_at: datetime | None = None
    # from the instance
    instance_id: str
    status: str
    access_rules_status: str = RulesStatus.ACTIVE
    host: str = ""
    availability_zone: str | None = None
    progress: str | None = None
    metadata: dict[str, str] = {}


class ShareInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a share in one pool."""

    id: str
    share_id: str
    host: str = ""  # host@backend#pool, "" until scheduled
    availability_zone: str | None = None
    status: str
    access_rules_status: str = RulesStatus.ACTIVE
    progress: str | None = None
    share_type_id: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    export_id: int | None = None  # unique per host; NFS-Ganesha wants 1..65535
    size_gib: int
    project_id: str
    proto: str
    created_at: datetime
    updated_at: datetime | None = None


class ExportLocation(msgspec.Struct, frozen=True, kw_only=True):
    """A path that a client mounts."""

    id: str
    instance_id: str
    share_id: str
    path: str
    preferred: bool = False
    is_admin_only: bool = False
    metadata: dict[str, str] = {}
    created_at: datetime
    updated_at: datetime | None = None


class ShareType(msgspec.Struct, frozen=True, kw_only=True):
    """A share type with its extra specs; values are strings as stored."""

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    extra_specs: dict[str, str] = {}
    created_at: datetime
    updated_at: datetime | None = None

    def spec_bool(self, key: str, default: bool = False) -> bool:
        """The boolean meaning of an extra spec, `<is> True` spelling included."""
        value = self.extra_specs.get(key)
        if value is None:
            return default
        return value.removeprefix("<is>").strip().lower() in ("1", "true", "t", "yes", "y", "on")


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as its agent last reported it."""

    name: str  # host@backend#pool
    host: str
    backend: str
    pool: str
    availability_zone: str
    total_gib: float
    free_gib: float
    allocated_gib: float  # bytes really used on disk
    provisioned_gib: float  # bytes promised to shares
    capabilities: dict[str, object] = {}
    updated_at: datetime
    enabled: bool = True  # its service is enabled
    up: bool = True  # its service's heartbeat is fresh
