"""What `[backends.<name>]` makes of this machine."""

from pathlib import Path

from roadstead.agent import chosen
from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers import registry
from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.pool import Pool
from roadstead.model.ids import pool_name
from roadstead.model.world import Place
from roadstead.roads import registry as roads
from roadstead.roads.backend import Backend
from roadstead.roads.base import Road
from roadstead.roads.networked import Networked
from roadstead.store.secrets import SecretBox


def make_backends(config: Config, networked: Networked | None = None) -> dict[str, Backend]:
    """Every configured backend by `host@backend#pool`; the world is not touched yet. `networked`:
    what its share servers, if any, are put on networks with."""
    found: dict[str, Backend] = {}
    for name, section in config.backends.items():
        full_name = pool_name(config.host, name, section.pool)
        road = roads.make(section, networked)
        pool, export = _make_drivers(config, name, road)
        found[full_name] = Backend(
            name=name,
            pool_name=full_name,
            pool=pool,
            export=export,
            place=Place(
                id=f"host-{name}", netns=section.netns or None, addresses=tuple(section.addresses)
            ),
            road=road,
            roads=tuple(section.roads),
            availability_zone=section.availability_zone,
            reserved_percentage=section.reserved_percentage,
            max_over_subscription_ratio=section.max_over_subscription_ratio,
            server_limits={
                "max_share_servers": section.max_share_servers,
                "max_shares_per_share_server": _shares_per_server(section, export),
                "max_share_server_size": section.max_share_server_size,
            },
            secrets=SecretBox(Path(config.secrets_file)),
        )
    return found


def _make_drivers(config: Config, name: str, road: Road) -> tuple[Pool, ExportServer]:
    section = config.backends[name]
    pool, export = chosen.pool(config, name), chosen.export(config, name)
    if road.servers is None or not road.servers.passes_on:
        return registry.make_pool(pool, name=name), registry.make_export(export)
    filer = section.filer
    control = registry.make_filer(chosen.filer(config, name))
    where = {"tree": filer.tree, "path": filer.path, "mount": filer.mount}
    behind = {"filer": filer.addresses, "port": filer.port}
    return (
        registry.make_pool(pool, name=name, control=control, **where),
        registry.make_export(export, control=control, **behind),
    )


def _shares_per_server(section: BackendConfig, export: ExportServer) -> int:
    """Only with one share each are a proxy gateway's shares apart (X-1)."""
    return 1 if export.info.gateway == "proxy" else section.max_shares_per_share_server
