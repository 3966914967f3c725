"""What a configuration may not say of gateways and standbys: each check names the wrong key."""

import ipaddress
from collections.abc import Mapping

from roadstead.config.load import network_pools
from roadstead.config.sections import BackendConfig, Config, FilerConfig, StorageConfig
from roadstead.model.errors import BadRequest, ConfigError
from roadstead.model.network_pools import NetworkPool, parse_addressing


def check(road: str, config: Config) -> None:
    """ConfigError when gateways of a backend with this road could not be, or no standby could, or
    a tenant's share network could be on a storage network."""
    pools = network_pools(config)
    for name, backend in config.backends.items():
        if road in backend.roads:
            _check_apart(f"backends.{name}", backend.storage, pools)
    _check_standbys(config, pools)
    for name, backend in config.backends.items():
        if road in backend.roads:
            _check_backend(name, backend)


def _check_backend(name: str, backend: BackendConfig) -> None:
    """ConfigError when the backend's gateways could not be."""
    key = f"backends.{name}"
    if len(backend.roads) > 1:
        raise ConfigError(f"{key}.roads: a filer behind gateways has no other road")
    fixed = backend.filer.control == "fixed"
    for field in ("addresses",) if fixed else ("addresses", "tree", "path"):
        if not getattr(backend.filer, field):
            raise ConfigError(f"{key}.filer.{field}: needed for road gateway")
    _check_storage(key, backend.filer, backend.storage)
    if fixed != (backend.pool == "filer-fixed"):
        raise ConfigError(f"{key}.pool: filer-fixed goes with the filer's control fixed, only")
    if backend.export == "gateway-proxy" and backend.max_shares_per_share_server not in (-1, 1):
        raise ConfigError(f"{key}.max_shares_per_share_server: always 1 with export gateway-proxy")


def _check_storage(key: str, filer: FilerConfig, storage: StorageConfig) -> None:
    """ConfigError when the filer could not be reached by that storage network."""
    if not storage.subnets:
        raise ConfigError(f"{key}.storage.subnets: needed for road gateway")
    try:
        networks = [ipaddress.ip_network(parse_addressing(t).cidr) for t in storage.subnets]
        addresses = [ipaddress.ip_address(a) for a in filer.addresses]
    except (BadRequest, ValueError) as error:
        raise ConfigError(f"{key}: {error}") from error
    for address in addresses:
        if not any(address in network for network in networks):
            raise ConfigError(f"{key}.filer.addresses: {address} is in none of storage.subnets")
    if (storage.type == "vxlan") == bool(storage.physical_network):
        raise ConfigError(f"{key}.storage.physical_network: for flat and vlan, and only for them")
    if (storage.type == "flat") == bool(storage.id):
        raise ConfigError(f"{key}.storage.id: for vlan and vxlan, and only for them")


def _check_standbys(config: Config, pools: Mapping[str, NetworkPool]) -> None:
    """ConfigError when a gateway could have no standby here, or be none."""
    for name, backend in config.backends.items():
        if backend.standby and backend.export != "gateway":
            raise ConfigError(f"backends.{name}.standby: for export gateway only")
        if backend.standby and backend.standby == config.host:
            raise ConfigError(f"backends.{name}.standby: that is this host")
    for name, standby in config.standbys.items():
        key = f"standbys.{name}"
        if standby.of in ("", config.host):
            raise ConfigError(f"{key}.of: the host, another than this, that has the backend")
        if not config.network.driver:
            raise ConfigError(f"{key}: needs a network driver in [network]")
        if not standby.filer.addresses:
            raise ConfigError(f"{key}.filer.addresses: needed for road gateway")
        _check_storage(key, standby.filer, standby.storage)
        _check_apart(key, standby.storage, pools)


def _check_apart(key: str, storage: StorageConfig, pools: Mapping[str, NetworkPool]) -> None:
    """ConfigError when that storage network is one of a pool's."""
    for pool in pools.values():
        same = (pool.kind, pool.physical_network) == (storage.type, storage.physical_network)
        if same and (pool.first or 0) <= storage.id <= (pool.last or 0):
            raise ConfigError(f"networks.{pool.name}: {key}.storage is among them")
