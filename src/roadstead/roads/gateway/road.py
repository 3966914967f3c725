"""Road gateway's class, and how its gateways get their addresses: a share's are given before it is
served there, and taken back, off the wire first, when nobody can reach it any more (X-4)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.export import Gateway as GatewayExport
from roadstead.model.errors import NotFound, Transient
from roadstead.model.networks import PortRef
from roadstead.model.share_networks import Subnet
from roadstead.model.shares import ShareInstance
from roadstead.model.world import Place
from roadstead.roads import network as road
from roadstead.roads.addresses import Addresses
from roadstead.roads.base import Ledger, Servers
from roadstead.roads.gateway import checks, pair
from roadstead.roads.gateway.pair import Side
from roadstead.roads.gateway.storage import storage_of
from roadstead.roads.network import Network
from roadstead.roads.networked import Networked


class Gateways:
    """See `roadstead.roads.base.Servers`. Each may have a standby on another host."""

    passes_on: bool = True

    def __init__(self, storage: Sequence[Subnet], standby: str, filer: Sequence[str]) -> None:
        self.storage = tuple(storage)
        self.standby = standby
        self.filer = tuple(filer)

    @property
    def paired(self) -> bool:
        return bool(self.standby)

    def legs(self, tenant: Sequence[Subnet]) -> list[Subnet]:
        return [*tenant, *self.storage]

    def details(self, export: ExportServer) -> Mapping[str, str]:
        return {"kind": "gateway", "variant": export.info.gateway or ""}

    def has_flows(self, export: ExportServer) -> bool:
        return export.info.gateway == "l4"

    def ensure_ports(self, networked: Networked, addresses: Addresses) -> None:
        pair.ensure_ports(networked, self.side(addresses))

    def ensure_ports_again(self, networked: Networked, addresses: Addresses) -> None:
        """It stands for election when its rules are there, too, and not before."""
        side = self.side(addresses)
        if side.peers and not pair.stands(networked, side):
            pair.ensure_own(networked, side)
        else:
            pair.ensure_ports(networked, side)

    def are_right(self, networked: Networked, addresses: Addresses) -> bool:
        """In a pair they may lack those of shares."""
        return pair.are_right(networked.network, self.side(addresses))

    def ensure_left_ports(self, networked: Networked, addresses: Addresses) -> None:
        """So have those ports that there are: a gateway that could not be made, or that a reboot
        took, gets none for a share that goes."""
        network, found = networked.network, self.side(addresses)
        here = [le for le in found.leases if network.port_addresses(PortRef(id=le.id))]
        with suppress(NotFound):  # lost meanwhile
            if found.peers and len(here) < len(found.leases):
                pair.ensure_none(networked, found)
            elif found.peers:
                pair.ensure_ports(networked, found)
            for lease in () if found.peers else here:
                road.ensure_ports(network, found.place, found.legs, [lease], found.passing)

    def side(self, addresses: Addresses) -> Side:
        """The gateway as it is to be, and the one that stands by for it, if any."""
        return Side(
            place=addresses.place,
            legs=self.legs(addresses.tenant),
            leases=addresses.leases,
            passing=addresses.passing,
            peers=addresses.peers,
            filer=self.filer,
        )


class Gateway(Network):
    """See `roadstead.roads.base.Road`."""

    name = "gateway"

    def __init__(
        self,
        *,
        storage: Sequence[Subnet] = (),
        standby: str = "",
        filer: Sequence[str] = (),
        networked: Networked | None = None,
    ) -> None:
        """`storage`: the other leg of its gateways; `standby`: the host that stands by for them;
        `filer`: the addresses of what is behind them."""
        self.gateways = Gateways(storage, standby, filer)
        self.networked = networked

    @property
    def servers(self) -> Servers | None:
        return self.gateways

    @classmethod
    def check(cls, config: Config) -> None:
        """ConfigError when a gateway could not be, or could have no standby, or be none."""
        checks.check(cls.name, config)

    @classmethod
    def make(cls, section: BackendConfig, networked: Networked | None) -> Self:
        return cls(
            storage=storage_of(section.storage),
            standby=section.standby,
            filer=section.filer.addresses,
            networked=networked,
        )

    def open(
        self, export: ExportServer, own: Place, instance: ShareInstance, ledger: Ledger
    ) -> Place:
        """The share has its addresses on both sides of its gateway, if it is one with flows."""
        gateways, server_id = self.gateways, instance.share_server_id
        if server_id is None or not gateways.has_flows(export):
            return super().open(export, own, instance, ledger)
        networked = self._networked()
        with networked.server_lock(server_id):
            sources = _sources(export, instance.id)
            addresses = ledger.give(
                server_id, instance.id, gateways.storage, sources, peers=gateways.paired
            )
            gateways.ensure_ports(networked, addresses)
        if gateways.paired:
            pair.wait_until_elected(networked, gateways.side(addresses))
        return addresses.place

    def close(self, export: ExportServer, instance: ShareInstance, ledger: Ledger) -> None:
        """The share's addresses are on no interface, and free."""
        gateways, server_id = self.gateways, instance.share_server_id
        if server_id is None or not gateways.has_flows(export):
            return
        networked = self._networked()
        with networked.server_lock(server_id):
            addresses = ledger.retire(server_id, instance.id, peers=gateways.paired)
            gateways.ensure_left_ports(networked, addresses)
            ledger.release(instance.id)

    def _networked(self) -> Networked:
        if self.networked is None:
            raise Transient("there are no gateways here: no network driver is configured")
        return self.networked


def _sources(export: ExportServer, instance_id: str) -> Mapping[str, Sequence[str]] | None:
    return export.flow_sources(instance_id) if isinstance(export, GatewayExport) else None
