"""What the agent tells the schedulers: pools, capacity, heartbeat."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from roadstead.model.ids import split_pool_name
from roadstead.model.networks import NetworkInfo
from roadstead.model.shares import Pool
from roadstead.ops.sweeps.findings import guarded
from roadstead.roads.backend import Backend
from roadstead.store import availability_zones, pools, services
from roadstead.store.db import Database, utcnow

_GIB = 1 << 30


def _ipv4(backend: Backend, network: NetworkInfo | None) -> bool:
    """True when clients can mount at an IPv4 address: the backend's own, or one that a share
    server gets on the tenant's segment. Gateways that pass packets on need a filer with one."""
    servers = backend.road.servers
    if servers is None:
        return any(ip_address(each).version == 4 for each in backend.place.addresses)
    if network is None or not network.segment_kinds:
        return False
    own = [ip_network(leg.cidr).version for leg in servers.legs([]) if leg.cidr]
    return 4 in own or not servers.has_flows(backend.export)


def capabilities(backend: Backend, network: NetworkInfo | None = None) -> dict[str, object]:
    """The pool's capabilities in Manila's words, and ours: isolation, roads. `network`: what the
    host's network driver can do."""
    pool, export = backend.pool.info, backend.export.info
    return {
        **backend.road.capabilities(network, backend.server_limits),
        "pool_name": split_pool_name(backend.pool_name)[2],
        "share_backend_name": backend.name,
        "storage_protocol": "_".join(export.protocols),
        "vendor_name": "Roadstead",
        "driver_version": "1",
        "driver_handles_share_servers": backend.road.servers is not None,
        "reserved_percentage": backend.reserved_percentage,
        "max_over_subscription_ratio": backend.max_over_subscription_ratio,
        "thin_provisioning": pool.thin,
        "snapshot_support": pool.snapshot,
        "create_share_from_snapshot_support": pool.clone,
        "revert_to_snapshot_support": pool.revert,
        "mount_snapshot_support": False,
        "ipv4_support": _ipv4(backend, network),
        "ipv6_support": export.ipv6,
        "roads": list(backend.roads),
        "gateway": export.gateway,
        # False: nothing but the filer's own disk stops a share from growing beyond its size.
        "size_enforced": pool.enforces_size,
        # acl: only the access rules stand between two tenants on one network.
        "isolation": backend.road.isolation,
        # Can a forged file handle reach another share of this pool? strong: no.
        "pool_isolation": pool.isolation,
    }


def pool_of(backend: Backend, network: NetworkInfo | None = None) -> Pool:
    """The pool as it is now."""
    stats = backend.pool.stats()
    host, name, pool = split_pool_name(backend.pool_name)
    return Pool(
        name=backend.pool_name,
        host=host,
        backend=name,
        pool=pool,
        availability_zone=backend.availability_zone,
        total_gib=round(stats.total / _GIB, 2),
        free_gib=round(stats.free / _GIB, 2),
        allocated_gib=round(stats.allocated / _GIB, 2),
        provisioned_gib=round(stats.provisioned / _GIB, 2),
        capabilities=capabilities(backend, network),
        updated_at=utcnow(),
    )


def report(
    db: Database, host: str, backends: Iterable[Backend], network: NetworkInfo | None = None
) -> None:
    """Every pool's row and every service's heartbeat are fresh; pools no longer configured are
    gone. One that cannot be looked at keeps what it said last, and its service is down soon."""
    backends = list(backends)
    for backend in backends:
        with guarded("pool not reported", backend=backend.name):
            _report_one(db, host, backend, pool_of(backend, network))
    with db.write() as tx:
        zone = backends[0].availability_zone if backends else "nova"
        services.heartbeat(tx, binary="manila-scheduler", host=host, zone=zone)
        pools.forget_others(tx, host, {backend.pool_name for backend in backends})


def _report_one(db: Database, host: str, backend: Backend, pool: Pool) -> None:
    with db.write() as tx:
        availability_zones.ensure(tx, backend.availability_zone)
        services.heartbeat(
            tx,
            binary="manila-share",
            host=f"{host}@{backend.name}",
            zone=backend.availability_zone,
        )
        pools.report(tx, pool)
