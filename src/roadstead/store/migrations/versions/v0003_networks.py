"""Share networks, their subnets, security services, share servers and addresses."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "security_services",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("dns_ip", sa.String(length=255), nullable=True),
        sa.Column("server", sa.String(length=255), nullable=True),
        sa.Column("domain", sa.String(length=255), nullable=True),
        sa.Column("user", sa.String(length=255), nullable=True),
        sa.Column("sealed_password", sa.String(length=4000), nullable=True),
        sa.Column("ou", sa.String(length=255), nullable=True),
        sa.Column("default_ad_site", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_services")),
    )
    op.create_index(
        "ix_security_services_project_created",
        "security_services",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "segment_numbers",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint(
            "kind", "physical_network", "number", name=op.f("pk_segment_numbers")
        ),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_segment_numbers_project_id_name")),
    )
    op.create_table(
        "share_networks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_networks")),
    )
    op.create_index(
        "ix_share_networks_created", "share_networks", ["created_at", "id"], unique=False
    )
    op.create_index(
        "ix_share_networks_project_created",
        "share_networks",
        ["project_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "share_servers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("share_network_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("is_auto_deletable", sa.Boolean(), nullable=False),
        sa.Column("identifier", sa.String(length=255), nullable=False),
        sa.Column("security_service_update_support", sa.Boolean(), nullable=False),
        sa.Column("network_allocation_update_support", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_servers")),
        sa.UniqueConstraint("purpose", "ordinal", name=op.f("uq_share_servers_purpose_ordinal")),
    )
    op.create_index("ix_share_servers_host", "share_servers", ["host"], unique=False)
    op.create_index("ix_share_servers_network", "share_servers", ["share_network_id"], unique=False)
    op.create_table(
        "address_leases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("share_server_id", sa.String(length=36), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("wire", sa.String(length=128), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("prefix_length", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_server_id"],
            ["share_servers.id"],
            name=op.f("fk_address_leases_share_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_leases")),
        sa.UniqueConstraint(
            "share_server_id", "subnet_id", name=op.f("uq_address_leases_share_server_id_subnet_id")
        ),
        sa.UniqueConstraint("wire", "address", name=op.f("uq_address_leases_wire_address")),
    )
    op.create_table(
        "share_network_checks",
        sa.Column("share_network_id", sa.String(length=36), nullable=False),
        sa.Column("change", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("compatible", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["share_network_id"],
            ["share_networks.id"],
            name=op.f("fk_share_network_checks_share_network_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "share_network_id", "change", "host", name=op.f("pk_share_network_checks")
        ),
    )
    op.create_table(
        "share_network_security_services",
        sa.Column("share_network_id", sa.String(length=36), nullable=False),
        sa.Column("security_service_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["security_service_id"],
            ["security_services.id"],
            name=op.f("fk_share_network_security_services_security_service_id"),
        ),
        sa.ForeignKeyConstraint(
            ["share_network_id"],
            ["share_networks.id"],
            name=op.f("fk_share_network_security_services_share_network_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "share_network_id",
            "security_service_id",
            name=op.f("pk_share_network_security_services"),
        ),
    )
    op.create_index(
        "ix_share_network_security_services_service",
        "share_network_security_services",
        ["security_service_id"],
        unique=False,
    )
    op.create_table(
        "share_network_subnets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("share_network_id", sa.String(length=36), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("neutron_net_id", sa.String(length=255), nullable=True),
        sa.Column("neutron_subnet_id", sa.String(length=255), nullable=True),
        sa.Column("network_type", sa.String(length=16), nullable=True),
        sa.Column("physical_network", sa.String(length=64), nullable=False),
        sa.Column("segmentation_id", sa.Integer(), nullable=True),
        sa.Column("cidr", sa.String(length=64), nullable=True),
        sa.Column("ip_version", sa.Integer(), nullable=True),
        sa.Column("gateway", sa.String(length=64), nullable=True),
        sa.Column("mtu", sa.Integer(), nullable=True),
        sa.Column("first_address", sa.String(length=64), nullable=True),
        sa.Column("last_address", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["share_network_id"],
            ["share_networks.id"],
            name=op.f("fk_share_network_subnets_share_network_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_network_subnets")),
    )
    op.create_index(
        op.f("ix_share_network_subnets_share_network_id"),
        "share_network_subnets",
        ["share_network_id"],
        unique=False,
    )
    op.create_table(
        "share_server_details",
        sa.Column("share_server_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_server_id"],
            ["share_servers.id"],
            name=op.f("fk_share_server_details_share_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("share_server_id", "key", name=op.f("pk_share_server_details")),
    )
    op.create_table(
        "share_server_subnets",
        sa.Column("share_server_id", sa.String(length=36), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_server_id"],
            ["share_servers.id"],
            name=op.f("fk_share_server_subnets_share_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "share_server_id", "subnet_id", name=op.f("pk_share_server_subnets")
        ),
    )
    op.create_index(
        "ix_share_server_subnets_subnet", "share_server_subnets", ["subnet_id"], unique=False
    )
    op.create_table(
        "share_network_subnet_metadata",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1023), nullable=False),
        sa.ForeignKeyConstraint(
            ["subnet_id"],
            ["share_network_subnets.id"],
            name=op.f("fk_share_network_subnet_metadata_subnet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subnet_id", "key", name=op.f("pk_share_network_subnet_metadata")),
    )
