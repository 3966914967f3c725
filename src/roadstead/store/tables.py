"""The tables. Times are UTC without zone; ids are UUID strings; JSON only where nothing filters."""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=True)


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
    )


def _flag(name: str, default: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, default=default)


def _pairs(table: str, owner: str, owner_column: str) -> sa.Table:
    """A key-value table that goes with its owner."""
    return sa.Table(
        table,
        metadata,
        sa.Column(
            owner_column,
            sa.String(36),
            sa.ForeignKey(f"{owner}.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("value", sa.String(1023), nullable=False),
    )


share_types = sa.Table(
    "share_types",
    metadata,
    _id(),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("description", sa.String(255)),
    _flag("is_public", True),
    *_times(),
)
share_type_specs = _pairs("share_type_specs", "share_types", "share_type_id")
share_type_projects = sa.Table(
    "share_type_projects",
    metadata,
    sa.Column(
        "share_type_id",
        sa.String(36),
        sa.ForeignKey("share_types.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("project_id", sa.String(64), primary_key=True),
)

shares = sa.Table(
    "shares",
    metadata,
    _id(),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("size_gib", sa.Integer, nullable=False),
    # What the quota counts: size_gib, or the wanted size while the share is being extended.
    sa.Column("reserved_gib", sa.Integer, nullable=False),
    sa.Column("proto", sa.String(16), nullable=False),
    _flag("is_public"),
    sa.Column("share_type_id", sa.String(36), sa.ForeignKey("share_types.id")),
    sa.Column("snapshot_id", sa.String(36)),
    _flag("snapshot_support"),
    _flag("create_share_from_snapshot_support"),
    _flag("revert_to_snapshot_support"),
    _flag("mount_snapshot_support"),
    sa.Column("replication_type", sa.String(16)),
    sa.Column("task_state", sa.String(64)),
    sa.Column("mount_point_name", sa.String(255)),
    # The instance that represents the share: its status is the share's.
    sa.Column("instance_id", sa.String(36), nullable=False, unique=True),
    *_times(),
    sa.Index("ix_shares_project_created", "project_id", "created_at", "id"),
    sa.Index("ix_shares_created", "created_at", "id"),
    sa.Index("ix_shares_type", "share_type_id"),
    # covers the quota count
    sa.Index("ix_shares_project_quota", "project_id", "reserved_gib"),
)
share_metadata = _pairs("share_metadata", "shares", "share_id")

share_instances = sa.Table(
    "share_instances",
    metadata,
    _id(),
    sa.Column(
        "share_id",
        sa.String(36),
        sa.ForeignKey("shares.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("host", sa.String(255), nullable=False, default=""),  # host@backend#pool
    # The agent's host, "" until scheduled: export ids are unique per agent.
    sa.Column("agent_host", sa.String(255), nullable=False, default=""),
    sa.Column("export_id", sa.Integer),
    sa.Column("availability_zone", sa.String(255)),
    sa.Column("status", sa.String(64), nullable=False),
    sa.Column("progress", sa.String(8)),
    sa.Column("share_network_id", sa.String(36)),
    sa.Column("share_server_id", sa.String(36)),
    *_times(),
    sa.UniqueConstraint("agent_host", "export_id"),
)

export_locations = sa.Table(
    "export_locations",
    metadata,
    _id(),
    sa.Column(
        "instance_id",
        sa.String(36),
        sa.ForeignKey("share_instances.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("path", sa.String(2000), nullable=False),
    _flag("preferred"),
    _flag("is_admin_only"),
    *_times(),
    sa.UniqueConstraint("instance_id", "path"),
)
export_location_metadata = _pairs(
    "export_location_metadata", "export_locations", "export_location_id"
)

access_rules = sa.Table(
    "access_rules",
    metadata,
    _id(),
    sa.Column(
        "share_id", sa.String(36), sa.ForeignKey("shares.id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("access_type", sa.String(16), nullable=False),
    sa.Column("access_to", sa.String(255), nullable=False),
    # an address and its /32 spelling are one target
    sa.Column("target", sa.String(255), nullable=False),
    sa.Column("access_level", sa.String(2), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("access_key", sa.String(255)),
    *_times(),
    sa.UniqueConstraint("share_id", "access_type", "target"),
)
access_rule_metadata = _pairs("access_rule_metadata", "access_rules", "access_rule_id")

resource_locks = sa.Table(
    "resource_locks",
    metadata,
    _id(),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("lock_context", sa.String(16), nullable=False),  # user | admin | service
    sa.Column("resource_type", sa.String(32), nullable=False),  # share | access_rule
    sa.Column("resource_id", sa.String(36), nullable=False),
    sa.Column("resource_action", sa.String(16), nullable=False),  # delete | show
    sa.Column("lock_reason", sa.String(1023)),
    # A lock goes with its resource, and a share's with the rule because of which it was set.
    sa.Column(
        "share_id",
        sa.String(36),
        sa.ForeignKey("shares.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column(
        "access_rule_id", sa.String(36), sa.ForeignKey("access_rules.id", ondelete="CASCADE")
    ),
    *_times(),
    sa.Index("ix_resource_locks_share", "share_id"),
    sa.Index("ix_resource_locks_rule", "access_rule_id"),
    # One visibility lock per rule.
    sa.Index(
        "uq_resource_locks_show",
        "resource_id",
        unique=True,
        sqlite_where=sa.text("resource_action = 'show'"),
        postgresql_where=sa.text("resource_action = 'show'"),
    ),
)

operations = sa.Table(
    "operations",
    metadata,
    _id(),
    sa.Column("verb", sa.String(64), nullable=False),
    sa.Column("resource_id", sa.String(36), nullable=False),
    # The share it is about, also after the share and its rules are gone.
    sa.Column("share_id", sa.String(36), nullable=False, default=""),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False, default=""),
    sa.Column("request_id", sa.String(64), nullable=False, default=""),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    # names of the steps whose effect is journalled, in order; undo removes them again
    sa.Column("steps_done", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("not_before", sa.DateTime),
    sa.Column("error", sa.String(2000)),
    sa.Column("detail_id", sa.String(3)),
    *_times(),
    # One live operation per resource: the second one fails to insert, without any lock.
    sa.Index(
        "uq_operations_live_resource",
        "resource_id",
        unique=True,
        sqlite_where=sa.text("state IN ('todo', 'running', 'undoing')"),
        postgresql_where=sa.text("state IN ('todo', 'running', 'undoing')"),
    ),
    sa.Index(
        "ix_operations_live_host",
        "host",
        sqlite_where=sa.text("state IN ('todo', 'running', 'undoing')"),
        postgresql_where=sa.text("state IN ('todo', 'running', 'undoing')"),
    ),
    sa.Index("ix_operations_created", "created_at"),
    sa.Index("ix_operations_share", "share_id", "created_at"),
)

# The last one of each share.
probes = sa.Table(
    "probes",
    metadata,
    sa.Column(
        "share_id",
        sa.String(36),
        sa.ForeignKey("shares.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("operation_id", sa.String(36), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),  # good | broken
    sa.Column("finding", sa.JSON, nullable=False),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("finished_at", sa.DateTime, nullable=False),
)

messages = sa.Table(
    "messages",
    metadata,
    _id(),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("action_id", sa.String(3), nullable=False),
    sa.Column("detail_id", sa.String(3), nullable=False),
    sa.Column("level", sa.String(16), nullable=False, default="ERROR"),
    sa.Column("request_id", sa.String(64), nullable=False, default=""),
    sa.Column("resource_type", sa.String(64), nullable=False),
    sa.Column("resource_id", sa.String(36)),
    sa.Column("detail", sa.String(2000)),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False),
    sa.Index("ix_messages_project_created", "project_id", "created_at"),
)

services = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("binary", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),  # host or host@backend
    sa.Column("availability_zone", sa.String(255), nullable=False),
    _flag("disabled"),
    sa.Column("disabled_reason", sa.String(255)),
    # an administrator asked that its shares be looked at again; its agent clears it
    _flag("ensuring"),
    sa.Column("heartbeat_at", sa.DateTime),
    *_times(),
    sa.UniqueConstraint("binary", "host"),
)

availability_zones = sa.Table(
    "availability_zones",
    metadata,
    _id(),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    *_times(),
)

pools = sa.Table(
    "pools",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True),  # host@backend#pool
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("total_gib", sa.Float, nullable=False),
    sa.Column("free_gib", sa.Float, nullable=False),
    sa.Column("allocated_gib", sa.Float, nullable=False),
    sa.Column("provisioned_gib", sa.Float, nullable=False),
    sa.Column("capabilities", sa.JSON, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
)

quotas = sa.Table(
    "quotas",
    metadata,
    sa.Column("project_id", sa.String(64), primary_key=True),
    # "" = the project's own set; otherwise a user's or a share type's
    sa.Column("user_id", sa.String(64), primary_key=True, default=""),
    sa.Column("share_type_id", sa.String(36), primary_key=True, default=""),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)
quota_classes = sa.Table(
    "quota_classes",
    metadata,
    sa.Column("class_name", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

drift = sa.Table(
    "drift",
    metadata,
    _id(),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),  # missing | leaked | differs
    sa.Column("resource_type", sa.String(32), nullable=False),
    sa.Column("resource_id", sa.String(255), nullable=False),
    sa.Column("detail", sa.String(2000), nullable=False),
    sa.Column("action", sa.String(255), nullable=False),  # what the sweep did about it
    sa.Column("found_at", sa.DateTime, nullable=False),
    sa.Column("repaired_at", sa.DateTime),
    sa.Index("ix_drift_found", "found_at"),
)
