"""Attachments, and the VMs and hosts behind them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "compute_hosts",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_compute_hosts")),
    )
    op.create_table(
        "vms",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("shared_memory", sa.Boolean(), nullable=False),
        sa.Column("free_ports", sa.Integer(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", "host", name=op.f("pk_vms")),
    )
    op.create_index("ix_vms_name", "vms", ["name"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("vm_id", sa.String(length=36), nullable=False),
        sa.Column("vm_name", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("tag", sa.String(length=36), nullable=False),
        sa.Column("access_level", sa.String(length=2), nullable=False),
        sa.Column("driver", sa.String(length=16), nullable=False),
        sa.Column("cache", sa.String(length=16), nullable=False),
        sa.Column("cold", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("unplugged", sa.Boolean(), nullable=False),
        sa.Column("locks", sa.String(length=16), nullable=False),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("target_host", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["share_id"], ["shares.id"], name=op.f("fk_attachments_share_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("vm_id", "share_id", name=op.f("uq_attachments_vm_id_share_id")),
        sa.UniqueConstraint("vm_id", "tag", name=op.f("uq_attachments_vm_id_tag")),
    )
    op.create_index("ix_attachments_host", "attachments", ["host"], unique=False)
    op.create_index(
        "ix_attachments_project_created", "attachments", ["project_id", "created_at"], unique=False
    )
    op.create_index("ix_attachments_share", "attachments", ["share_id"], unique=False)
    op.create_index("ix_attachments_target_host", "attachments", ["target_host"], unique=False)
    op.create_table(
        "grants",
        sa.Column("share_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("access_rule_id", sa.String(length=36), nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["share_id"], ["shares.id"], name=op.f("fk_grants_share_id")),
        sa.PrimaryKeyConstraint("share_id", "host", name=op.f("pk_grants")),
        sa.UniqueConstraint("access_rule_id", name=op.f("uq_grants_access_rule_id")),
    )
