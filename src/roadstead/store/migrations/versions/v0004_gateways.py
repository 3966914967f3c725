"""Addresses that stand for one share at a gateway, and how gateways are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "flow_leases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("share_server_id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("wire", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_server_id"],
            ["share_servers.id"],
            name=op.f("fk_flow_leases_share_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_leases")),
        sa.UniqueConstraint(
            "instance_id",
            "subnet_id",
            "purpose",
            name=op.f("uq_flow_leases_instance_id_subnet_id_purpose"),
        ),
        sa.UniqueConstraint("wire", "address", name=op.f("uq_flow_leases_wire_address")),
    )
    op.create_index(
        op.f("ix_flow_leases_share_server_id"), "flow_leases", ["share_server_id"], unique=False
    )
    op.create_table(
        "gateway_reports",
        sa.Column("share_server_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("health", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("reported_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_server_id"],
            ["share_servers.id"],
            name=op.f("fk_gateway_reports_share_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("share_server_id", "host", name=op.f("pk_gateway_reports")),
    )
