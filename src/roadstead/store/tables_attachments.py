"""The tables of the hypervisor road."""

import sqlalchemy as sa

from roadstead.store.tables import metadata

compute_hosts = sa.Table(
    "compute_hosts",
    metadata,
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("heartbeat_at", sa.DateTime, nullable=False),
)

vms = sa.Table(
    "vms",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    # A VM that migrates is on two hosts for a moment.
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(64)),
    sa.Column("running", sa.Boolean, nullable=False),
    sa.Column("shared_memory", sa.Boolean, nullable=False),
    sa.Column("free_ports", sa.Integer, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Index("ix_vms_name", "name"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    # No cascade: a share with attachments is not deleted.
    sa.Column("share_id", sa.String(36), sa.ForeignKey("shares.id"), nullable=False),
    sa.Column("vm_id", sa.String(36), nullable=False),
    sa.Column("vm_name", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("tag", sa.String(36), nullable=False),
    sa.Column("access_level", sa.String(2), nullable=False),
    sa.Column("driver", sa.String(16), nullable=False),
    sa.Column("cache", sa.String(16), nullable=False),
    sa.Column("cold", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("unplugged", sa.Boolean, nullable=False),
    sa.Column("locks", sa.String(16), nullable=False),
    sa.Column("error", sa.String(2000)),
    sa.Column("target_host", sa.String(255)),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime),
    sa.UniqueConstraint("vm_id", "share_id"),
    sa.UniqueConstraint("vm_id", "tag"),
    sa.Index("ix_attachments_project_created", "project_id", "created_at"),
    sa.Index("ix_attachments_share", "share_id"),
    sa.Index("ix_attachments_host", "host"),
    sa.Index("ix_attachments_target_host", "target_host"),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("share_id", sa.String(36), sa.ForeignKey("shares.id"), primary_key=True),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("access_rule_id", sa.String(36), nullable=False, unique=True),
    # The rule was the user's before we needed it, and stays when we no longer do.
    sa.Column("adopted", sa.Boolean, nullable=False),
)
