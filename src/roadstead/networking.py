"""This machine as a host of share servers: what the agent does for the network road."""

import datetime
import hashlib
from collections.abc import Callable, Mapping

from roadstead.config import Config
from roadstead.drivers import registry
from roadstead.drivers.base_network import Network
from roadstead.model.ids import place_netns
from roadstead.model.networks import NetworkInfo, PortRef, SegmentRef
from roadstead.model.world import Place
from roadstead.ops.network_sweep import NetworkSweep
from roadstead.ops.recipe import Open
from roadstead.ops.share_servers import opener
from roadstead.roads.backend import Backend
from roadstead.roads.network import Networked
from roadstead.store.db import Database


def make_network(config: Config) -> Network | None:
    """The configured network driver; None when this machine has none."""
    section = config.network
    if not section.driver:
        return None
    options = dict(section.options)
    if section.driver == "segments":
        # Two agents of one machine must not sweep each other's segments.
        options.setdefault("owner", _owner(config))
    return registry.make_network(section.driver, **options)


def _owner(config: Config) -> str:
    """Whose devices these are: two services of one machine have different state directories."""
    digest = hashlib.blake2s(config.state_directory.encode(), digest_size=4).hexdigest()
    return f"{config.host[:39]}-{digest}"


class NetworkAgent:
    """Sweeps; `opener` is for the runner, `places` for the sweep of shares."""

    def __init__(
        self,
        config: Config,
        network: Network,
        db: Database,
        backends: Mapping[str, Backend],
        adopt: Callable[[str], None],
    ) -> None:
        networked = Networked(network)
        for backend in backends.values():
            backend.networked = networked
        self.opener: Open = opener(db, backends, networked)
        self._network = network
        self._sweep = NetworkSweep(
            db,
            config.host,
            backends,
            networked,
            adopt,
            unused=datetime.timedelta(minutes=config.network.unused_minutes),
        )

    def capabilities(self) -> NetworkInfo:
        return self._network.capabilities()

    def sweep(self) -> None:
        """Before the shares are looked at: their share servers must be there."""
        self._sweep.run()

    def places(self, backend: Backend) -> Mapping[str, Place]:
        return self._sweep.places(backend)


def make_network_agent(
    config: Config,
    db: Database,
    backends: Mapping[str, Backend],
    adopt: Callable[[str], None],
) -> NetworkAgent | None:
    """None when this machine has no network driver."""
    network = make_network(config)
    return None if network is None else NetworkAgent(config, network, db, backends, adopt)


def take_down(network: Network) -> None:
    """No device, namespace or rule of ours is left; the next sweep makes them again. The export
    servers inside have been stopped."""
    marks = list(network.inventory())
    for mark in marks:
        if mark.kind == "port":
            network.ensure_port_absent(PortRef(id=mark.id))
    for mark in marks:
        if mark.kind == "place":
            network.ensure_place_absent(Place(id=mark.id, netns=place_netns(mark.id)))
    for mark in marks:
        if mark.kind == "segment":
            network.ensure_segment_absent(SegmentRef(id=mark.id))
