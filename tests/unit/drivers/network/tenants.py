"""A tenant: a segment on two hosts, a share server's leg on the second."""

import contextlib
import itertools
from dataclasses import dataclass, field

from roadstead.drivers.network.segments.driver import SegmentsNetwork
from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.ids import new_id, place_netns
from tests.lab.hosts import TRUNK, UNDERLAY, Client, TwoHosts
from tests.temporary import Temporary

SERVER, SERVER6, CLIENT = "10.0.0.5", "fd00::5", "10.0.0.10"
_numbers = itertools.count(1001)


@dataclass
class Wiring:
    """The hosts' drivers, and which kind of segments they are to make."""

    hosts: TwoHosts
    kind: str
    means: str  # the driver's option `vlan`
    physical_network: str = "trunk"
    drivers: list[SegmentsNetwork] = field(init=False)

    def __post_init__(self) -> None:
        self.drivers = [self.hosts.driver(number, vlan=self.means) for number in (0, 1)]

    @property
    def wire(self) -> str:
        """The device that carries the segments' frames."""
        return UNDERLAY if self.kind == "vxlan" else TRUNK


def netns_of(place: w.Place) -> str:
    assert place.netns is not None
    return place.netns


class Tenant(Temporary):
    """Between enter and exit: everything of it; afterwards the hosts are as before."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        kind, number = wiring.kind, next(_numbers)
        self.spec = n.SegmentSpec(
            id=new_id(),
            kind=kind,
            number=None if kind == "flat" else number,
            physical_network="" if kind == "vxlan" else wiring.physical_network,
        )

    def _make(self, undo: contextlib.ExitStack) -> None:
        self._undo = undo  # ports come later, too
        self.segments: list[n.Segment] = []
        for driver in self.wiring.drivers:
            ref = n.SegmentRef(id=self.spec.id)
            undo.callback(driver.ensure_segment_absent, ref)
            self.segments.append(driver.ensure_segment(self.spec))
        self.server = self.port(1, f"{SERVER}/24", f"{SERVER6}/64")

    @property
    def bridge(self) -> str:
        """On the server's host."""
        return self.segments[1].device

    @property
    def host(self) -> str:
        """The server's host's namespace."""
        return self.wiring.hosts.hosts[1].netns

    @property
    def netns(self) -> str:
        """The server's namespace."""
        return place_netns(self.server.place_id)

    def port(self, number: int, *addresses: str) -> n.Port:
        """A port in a new place, made by the driver of the first (0) or second (1) host."""
        driver, place_id = self.wiring.drivers[number], new_id()
        place = w.Place(id=place_id, netns=place_netns(place_id))
        port_id = new_id()
        self._undo.callback(driver.ensure_place_absent, place)
        driver.ensure_place(place)
        self._undo.callback(driver.ensure_port_absent, n.PortRef(id=port_id))
        return driver.ensure_port(
            n.PortSpec(id=port_id, segment_id=self.spec.id, place=place, addresses=addresses)
        )

    def client(self, number: int, *addresses: str) -> Client:
        """A VM on the first (0) or second (1) host."""
        host, segment = self.wiring.hosts.hosts[number], self.segments[number]
        made = Client(host, segment.device, *addresses, mtu=segment.mtu)
        return self._undo.enter_context(made)
