"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "availability_zones",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_availability_zones")),
        sa.UniqueConstraint("name", name=op.f("uq_availability_zones_name")),
    )
    op.create_table(
        "drift",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource_id", sa.String(length=255), nullable=False),
        sa.Column("detail", sa.String(length=2000), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.Column("repaired_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift")),
    )
    op.create_index("ix_drift_found", "drift", ["found_at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("action_id", sa.String(length=3), nullable=False),
        sa.Column("detail_id", sa.String(length=3), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=True),
        sa.Column("detail", sa.String(length=2000), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(
        "ix_messages_project_created", "messages", ["project_id", "created_at"], unique=False
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("steps_done", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=True),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("detail_id", sa.String(length=3), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_index("ix_operations_created", "operations", ["created_at"], unique=False)
    op.create_index("ix_operations_share", "operations", ["share_id", "created_at"], unique=False)
    op.create_index(
        "ix_operations_live_host",
        "operations",
        ["host"],
        unique=False,
        sqlite_where=sa.text("state IN ('todo', 'running', 'undoing')"),
        postgresql_where=sa.text("state IN ('todo', 'running', 'undoing')"),
    )
    op.create_index(
        "uq_operations_live_resource",
        "operations",
        ["resource_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('todo', 'running', 'undoing')"),
        postgresql_where=sa.text("state IN ('todo', 'running', 'undoing')"),
    )
    op.create_table(
        "pools",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("total_gib", sa.Float(), nullable=False),
        sa.Column("free_gib", sa.Float(), nullable=False),
        sa.Column("allocated_gib", sa.Float(), nullable=False),
        sa.Column("provisioned_gib", sa.Float(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pools")),
    )
    op.create_table(
        "quota_classes",
        sa.Column("class_name", sa.String(length=255), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("class_name", "resource", name=op.f("pk_quota_classes")),
    )
    op.create_table(
        "quotas",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("share_type_id", sa.String(length=36), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "project_id", "user_id", "share_type_id", "resource", name=op.f("pk_quotas")
        ),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("binary", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=255), nullable=True),
        sa.Column("ensuring", sa.Boolean(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("binary", "host", name=op.f("uq_services_binary_host")),
    )
    op.create_table(
        "share_types",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_types")),
        sa.UniqueConstraint("name", name=op.f("uq_share_types_name")),
    )
    op.create_table(
        "share_type_projects",
        sa.Column("share_type_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_type_id"],
            ["share_types.id"],
            name=op.f("fk_share_type_projects_share_type_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("share_type_id", "project_id", name=op.f("pk_share_type_projects")),
    )
    op.create_table(
        "share_type_specs",
        sa.Column("share_type_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_type_id"],
            ["share_types.id"],
            name=op.f("fk_share_type_specs_share_type_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("share_type_id", "key", name=op.f("pk_share_type_specs")),
    )
    op.create_table(
        "shares",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("size_gib", sa.Integer(), nullable=False),
        sa.Column("reserved_gib", sa.Integer(), nullable=False),
        sa.Column("proto", sa.String(length=16), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("share_type_id", sa.String(length=36), nullable=True),
        sa.Column("snapshot_id", sa.String(length=36), nullable=True),
        sa.Column("snapshot_support", sa.Boolean(), nullable=False),
        sa.Column("create_share_from_snapshot_support", sa.Boolean(), nullable=False),
        sa.Column("revert_to_snapshot_support", sa.Boolean(), nullable=False),
        sa.Column("mount_snapshot_support", sa.Boolean(), nullable=False),
        sa.Column("replication_type", sa.String(length=16), nullable=True),
        sa.Column("task_state", sa.String(length=64), nullable=True),
        sa.Column("mount_point_name", sa.String(length=255), nullable=True),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["share_type_id"], ["share_types.id"], name=op.f("fk_shares_share_type_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_shares_instance_id")),
    )
    op.create_index("ix_shares_created", "shares", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_shares_project_created", "shares", ["project_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_shares_project_quota", "shares", ["project_id", "reserved_gib"], unique=False
    )
    op.create_index("ix_shares_type", "shares", ["share_type_id"], unique=False)
    op.create_table(
        "access_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("access_type", sa.String(length=16), nullable=False),
        sa.Column("access_to", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("access_level", sa.String(length=2), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("access_key", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["share_id"], ["shares.id"], name=op.f("fk_access_rules_share_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_rules")),
        sa.UniqueConstraint(
            "share_id",
            "access_type",
            "target",
            name=op.f("uq_access_rules_share_id_access_type_target"),
        ),
    )
    op.create_table(
        "probes",
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("operation_id", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_id"],
            ["shares.id"],
            name=op.f("fk_probes_share_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("share_id", name=op.f("pk_probes")),
    )
    op.create_table(
        "share_instances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("agent_host", sa.String(length=255), nullable=False),
        sa.Column("export_id", sa.Integer(), nullable=True),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.String(length=8), nullable=True),
        sa.Column("share_network_id", sa.String(length=36), nullable=True),
        sa.Column("share_server_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["share_id"],
            ["shares.id"],
            name=op.f("fk_share_instances_share_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_instances")),
        sa.UniqueConstraint(
            "agent_host", "export_id", name=op.f("uq_share_instances_agent_host_export_id")
        ),
    )
    op.create_index(
        op.f("ix_share_instances_share_id"), "share_instances", ["share_id"], unique=False
    )
    op.create_table(
        "share_metadata",
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_id"], ["shares.id"], name=op.f("fk_share_metadata_share_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("share_id", "key", name=op.f("pk_share_metadata")),
    )
    op.create_table(
        "access_rule_metadata",
        sa.Column("access_rule_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["access_rule_id"],
            ["access_rules.id"],
            name=op.f("fk_access_rule_metadata_access_rule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("access_rule_id", "key", name=op.f("pk_access_rule_metadata")),
    )
    op.create_table(
        "resource_locks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("lock_context", sa.String(length=16), nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("resource_action", sa.String(length=16), nullable=False),
        sa.Column("lock_reason", sa.String(length=1023), nullable=True),
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("access_rule_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["access_rule_id"],
            ["access_rules.id"],
            name=op.f("fk_resource_locks_access_rule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["share_id"],
            ["shares.id"],
            name=op.f("fk_resource_locks_share_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource_locks")),
    )
    op.create_index("ix_resource_locks_rule", "resource_locks", ["access_rule_id"], unique=False)
    op.create_index("ix_resource_locks_share", "resource_locks", ["share_id"], unique=False)
    op.create_index(
        "uq_resource_locks_show",
        "resource_locks",
        ["resource_id"],
        unique=True,
        sqlite_where=sa.text("resource_action = 'show'"),
        postgresql_where=sa.text("resource_action = 'show'"),
    )
    op.create_table(
        "export_locations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("path", sa.String(length=2000), nullable=False),
        sa.Column("preferred", sa.Boolean(), nullable=False),
        sa.Column("is_admin_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["instance_id"],
            ["share_instances.id"],
            name=op.f("fk_export_locations_instance_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_locations")),
        sa.UniqueConstraint(
            "instance_id", "path", name=op.f("uq_export_locations_instance_id_path")
        ),
    )
    op.create_table(
        "export_location_metadata",
        sa.Column("export_location_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_location_id"],
            ["export_locations.id"],
            name=op.f("fk_export_location_metadata_export_location_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "export_location_id", "key", name=op.f("pk_export_location_metadata")
        ),
    )
