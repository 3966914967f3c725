"""This machine as a host of share servers: what the agent does for the network road."""

import datetime
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from roadstead.agent import chosen
from roadstead.agent.standbys import make_standbys
from roadstead.config.sections import Config
from roadstead.drivers import registry
from roadstead.drivers.base.network import Network
from roadstead.drivers.failover.keepalived.driver import Keepalived
from roadstead.model.ids import place_netns
from roadstead.model.networks import NetworkInfo, PortRef, SegmentRef
from roadstead.model.states import GatewayRole
from roadstead.model.world import Place
from roadstead.ops.gateway_report import put_report
from roadstead.ops.recipe import Open
from roadstead.ops.share_servers import opener
from roadstead.ops.sweeps.active_gateways import ActiveGatewaySweep
from roadstead.ops.sweeps.base import Sweep
from roadstead.ops.sweeps.findings import guarded
from roadstead.ops.sweeps.networks import NetworkSweep
from roadstead.ops.sweeps.standby_gateways import StandbyGatewaySweep
from roadstead.roads.backend import Backend
from roadstead.roads.networked import Networked
from roadstead.store.db import Database


def make_network(config: Config) -> Network | None:
    """The configured network driver; None when this machine has none."""
    return registry.make_network(chosen.network(config)) if config.network.driver else None


def make_failover(config: Config) -> Keepalived:
    """Who elects between a gateway and its standby; nothing runs before there is a pair."""
    # Two agents of one machine must not end each other's.
    return Keepalived(Path(config.run_directory) / "pairs" / config.host)


def make_networked(config: Config) -> Networked | None:
    """What this machine has for share servers; None without a network driver."""
    network = make_network(config)
    if network is None:
        return None
    networked = Networked(network, make_failover(config))
    networked.standbys = tuple(make_standbys(config))
    return networked


class NetworkAgent:
    """Sweeps; `opener` is for the runner, `places` for the sweep of shares."""

    def __init__(
        self,
        config: Config,
        networked: Networked,
        db: Database,
        backends: Mapping[str, Backend],
        adopt: Callable[[str], None],
    ) -> None:
        self.opener: Open = opener(db, backends, networked)
        self._db, self._host, self._network = db, config.host, networked.network
        self._networked, self._backends = networked, backends
        grace = datetime.timedelta(seconds=config.leak_grace_seconds)
        self._standby = StandbyGatewaySweep(db, config.host, networked, grace=grace)
        self._sweep = NetworkSweep(
            db,
            config.host,
            backends,
            networked,
            adopt,
            unused=datetime.timedelta(minutes=config.network.unused_minutes),
            grace=grace,
        )
        self._active = ActiveGatewaySweep(db, config.host, backends, networked, self.places)
        self._able: NetworkInfo | None = None

    def capabilities(self) -> NetworkInfo | None:
        """What the driver says of itself; as it said last, or None, when it cannot be asked."""
        with guarded("network driver not asked"):
            self._able = self._network.capabilities()
        return self._able

    def sweep(self) -> None:
        """Before the shares are looked at: their share servers must be there."""
        self._sweep.run()

    def places(self, backend: Backend) -> Mapping[str, Place]:
        return self._sweep.places(backend)

    # --- gateways of which there are two ----------------------------------------------------------

    @property
    def has_pairs(self) -> bool:
        """Whether there is anything to look at every few seconds; also what is configured no more
        and has to go, and what nobody can tell."""
        failover = self._networked.failover
        if failover is None:
            return False
        if self._networked.standbys or any(b.servers.paired for b in self._backends.values()):
            return True
        with guarded("pairs not looked for"):
            return any(failover.inventory())
        return True

    def look_at_pairs(self) -> None:
        """This host's part in the pairs is as the database says."""
        pair: tuple[Sweep, ...] = (self._active, self._standby)
        for sweep in pair:
            with guarded("pairs not looked at"):
                sweep.run()

    def role(self, backend: Backend, place: Place) -> str:
        """active | standby: who has the addresses now."""
        failover = self._networked.failover
        if not backend.servers.paired or failover is None or failover.holds(place):
            return GatewayRole.ACTIVE
        return GatewayRole.STANDBY

    def report_standbys(self) -> None:
        """The standby gateways' rows say how they are now."""
        for standby in self._networked.standbys:
            for server_id, place in self._standby.places(standby).items():
                role = partial(self._role_of_standby, place)
                put_report(self._db, self._host, server_id, role, standby.export, place)

    def _role_of_standby(self, place: Place) -> str:
        failover = self._networked.failover
        holds = failover is not None and failover.holds(place)
        return GatewayRole.ACTIVE if holds else GatewayRole.STANDBY


def make_network_agent(
    config: Config,
    db: Database,
    backends: Mapping[str, Backend],
    adopt: Callable[[str], None],
    networked: Networked | None,
) -> NetworkAgent | None:
    """None when this machine has no network driver."""
    return None if networked is None else NetworkAgent(config, networked, db, backends, adopt)


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
