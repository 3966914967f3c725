"""The tables of the network road: share networks, security services, share servers, addresses."""

import sqlalchemy as sa

# By way of the module before: this is the last one, and its metadata has all tables.
from roadstead.store.tables_attachments import metadata


def _id(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=True)


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
    )


def _owned_by(table: str, column: str) -> sa.Column[str]:
    """Part of the key; the row goes with its owner."""
    owner = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, sa.String(36), owner, primary_key=True)


def _pairs(table: str, owner: str, owner_column: str) -> sa.Table:
    return sa.Table(
        table,
        metadata,
        _owned_by(owner, owner_column),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("value", sa.String(1023), nullable=False),
    )


share_networks = sa.Table(
    "share_networks",
    metadata,
    _id(),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("status", sa.String(32), nullable=False),
    *_times(),
    sa.Index("ix_share_networks_project_created", "project_id", "created_at", "id"),
    sa.Index("ix_share_networks_created", "created_at", "id"),
)

subnets = sa.Table(
    "share_network_subnets",
    metadata,
    _id(),
    sa.Column(
        "share_network_id",
        sa.String(36),
        sa.ForeignKey("share_networks.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("availability_zone", sa.String(255)),
    sa.Column("neutron_net_id", sa.String(255)),
    sa.Column("neutron_subnet_id", sa.String(255)),
    sa.Column("network_type", sa.String(16)),
    sa.Column("physical_network", sa.String(64), nullable=False),
    sa.Column("segmentation_id", sa.Integer),
    sa.Column("cidr", sa.String(64)),
    sa.Column("ip_version", sa.Integer),
    sa.Column("gateway", sa.String(64)),
    sa.Column("mtu", sa.Integer),
    sa.Column("first_address", sa.String(64)),
    sa.Column("last_address", sa.String(64)),
    *_times(),
)
subnet_metadata = _pairs("share_network_subnet_metadata", "share_network_subnets", "subnet_id")

# Numbers that projects have of the configured pools. One is free again when neither a subnet nor
# an address names it any more: see store.segment_numbers.
segment_numbers = sa.Table(
    "segment_numbers",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("physical_network", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("project_id", sa.String(64), nullable=False),
    # as the project calls it: `pool` or `pool/label`
    sa.Column("name", sa.String(255), nullable=False),
    sa.UniqueConstraint("project_id", "name"),
)

security_services = sa.Table(
    "security_services",
    metadata,
    _id(),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("description", sa.String(255)),
    sa.Column("dns_ip", sa.String(255)),
    sa.Column("server", sa.String(255)),
    sa.Column("domain", sa.String(255)),
    sa.Column("user", sa.String(255)),
    # never in clear: see store.secrets
    sa.Column("sealed_password", sa.String(4000)),
    sa.Column("ou", sa.String(255)),
    sa.Column("default_ad_site", sa.String(255)),
    *_times(),
    sa.Index("ix_security_services_project_created", "project_id", "created_at", "id"),
)
network_security_services = sa.Table(
    "share_network_security_services",
    metadata,
    _owned_by("share_networks", "share_network_id"),
    # No cascade: what a network has is not deleted.
    sa.Column(
        "security_service_id",
        sa.String(36),
        sa.ForeignKey("security_services.id"),
        primary_key=True,
    ),
    sa.Index("ix_share_network_security_services_service", "security_service_id"),
)
# What the hosts said to a change that was asked about.
network_checks = sa.Table(
    "share_network_checks",
    metadata,
    _owned_by("share_networks", "share_network_id"),
    sa.Column("change", sa.String(64), primary_key=True),  # a digest of what was asked
    sa.Column("host", sa.String(255), primary_key=True),  # host@backend
    sa.Column("compatible", sa.Boolean),  # unknown while the host has not answered
)

# A server outlives its network's rows until all of it is gone from the world: no foreign keys.
share_servers = sa.Table(
    "share_servers",
    metadata,
    _id(),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("share_network_id", sa.String(36), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),  # host@backend
    # One server per (host, subnets, security services) until it is full: the digest of these, and
    # the server's place among those that have it.
    sa.Column("purpose", sa.String(64), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("is_auto_deletable", sa.Boolean, nullable=False),
    sa.Column("identifier", sa.String(255), nullable=False),
    sa.Column("security_service_update_support", sa.Boolean, nullable=False),
    sa.Column("network_allocation_update_support", sa.Boolean, nullable=False),
    *_times(),
    sa.UniqueConstraint("purpose", "ordinal"),
    sa.Index("ix_share_servers_network", "share_network_id"),
    sa.Index("ix_share_servers_host", "host"),
)
share_server_details = _pairs("share_server_details", "share_servers", "share_server_id")
share_server_subnets = sa.Table(
    "share_server_subnets",
    metadata,
    _owned_by("share_servers", "share_server_id"),
    sa.Column("subnet_id", sa.String(36), primary_key=True),
    sa.Index("ix_share_server_subnets_subnet", "subnet_id"),
)

# Addresses of share servers, gone with them. On one wire an address is given out once, whatever
# subnet rows name that wire.
address_leases = sa.Table(
    "address_leases",
    metadata,
    _id(),
    sa.Column(
        "share_server_id",
        sa.String(36),
        sa.ForeignKey("share_servers.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("subnet_id", sa.String(36), nullable=False),
    sa.Column("wire", sa.String(128), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("prefix_length", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.UniqueConstraint("wire", "address"),
    sa.UniqueConstraint("share_server_id", "subnet_id"),
)

# Addresses of gateways that stand for one share; those of their own are in address_leases.
flow_leases = sa.Table(
    "flow_leases",
    metadata,
    _id(),
    sa.Column(
        "share_server_id",
        sa.String(36),
        sa.ForeignKey("share_servers.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("instance_id", sa.String(36), nullable=False),
    sa.Column("subnet_id", sa.String(64), nullable=False),
    sa.Column("wire", sa.String(128), nullable=False),
    sa.Column("purpose", sa.String(8), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("prefix_length", sa.Integer, nullable=False),
    sa.Column("retired", sa.Boolean, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.UniqueConstraint("wire", "address"),
    sa.UniqueConstraint("instance_id", "subnet_id", "purpose"),
)

gateway_reports = sa.Table(
    "gateway_reports",
    metadata,
    sa.Column(
        "share_server_id",
        sa.String(36),
        sa.ForeignKey("share_servers.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("health", sa.String(32), nullable=False),
    sa.Column("detail", sa.String(1000), nullable=False),
    sa.Column("sessions", sa.Integer, nullable=False),
    sa.Column("bytes_in", sa.BigInteger, nullable=False),
    sa.Column("bytes_out", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.DateTime, nullable=True),
    sa.Column("reported_at", sa.DateTime, nullable=False),
)
