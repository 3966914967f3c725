"""Two storage or compute hosts on one machine: namespaces with wires between them."""

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadstead.drivers.host import netlink
from roadstead.drivers.network.segments.driver import SegmentsNetwork
from roadstead.drivers.network.segments.guard import Guard
from tests.lab.links import find_link
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.ovs import OpenVSwitch
from tests.lab.requirements import require
from tests.temporary import Temporary

# Between the two: VXLAN's underlay, a trunk for VLANs, and a flat network.
UNDERLAY, TRUNK, FLAT = "ul0", "trunk0", "flat0"
PHYSICAL_NETWORKS = {"trunk": TRUNK, "flat": FLAT}


@dataclass(frozen=True)
class Host:
    """A namespace that plays a host."""

    netns: str
    address: str  # on the underlay
    peer: str  # the other host's

    def driver(self, **options: Any) -> SegmentsNetwork:
        """The driver as it would run on the host."""
        values: dict[str, Any] = {
            "underlay": UNDERLAY,
            "vxlan_remotes": (self.peer,),
            "physical_networks": PHYSICAL_NETWORKS,
            "ovs_database": "unix:/nowhere",
            "netns": self.netns,
            "owner": self.netns,
        }
        return SegmentsNetwork(SegmentsNetwork.Options(**(values | options)))


def hold_back(host: Host, device: str, mac: str, *addresses: str) -> None:
    """The bridge port of a VM may speak as nobody but these addresses (with prefix length): what
    port security does on a compute host."""
    guard, mark = Guard("lab"), f"lab:{device}"
    netlink.within(
        host.netns, lambda _: guard.ensure_port(device, mac=mac, addresses=addresses, mark=mark)
    )


class Client(Temporary):
    """A VM, as far as the network is concerned: nobody holds it back. Gone after exit."""

    def __init__(self, host: Host, bridge: str, *addresses: str, mtu: int = 1450) -> None:
        tag = secrets.token_hex(4)
        self.netns = f"rs-{tag}-vm"
        self.device = "eth0"
        self.tap = f"tap{tag}"
        self._host = host
        self._bridge = bridge
        self._addresses = addresses
        self._mtu = str(mtu)

    def _make(self, undo: ExitStack) -> None:
        add_netns(self.netns)
        undo.callback(remove_netns, self.netns)
        far = ("peer", "name", self.device, "mtu", self._mtu, "netns", self.netns)
        host = self._host.netns
        ip("link", "add", self.tap, "mtu", self._mtu, "type", "veth", *far, netns=host)
        undo.callback(ip, "link", "delete", self.tap, netns=host)
        ip("link", "set", self.tap, "master", self._bridge, "up", netns=host)
        for address in self._addresses:
            ip("address", "add", address, "dev", self.device, netns=self.netns)
        ip("link", "set", self.device, "up", netns=self.netns)
        netlink.within(host, lambda links: links.wait_until_forwarding(self.tap))

    @property
    def mac(self) -> str:
        link = find_link(self.netns, self.device)
        assert link is not None
        return link["address"]


class TwoHosts(Temporary):
    """Exist between enter and exit; with `ovs`, each has an Open vSwitch of its own. The options
    are the drivers'."""

    def __init__(
        self, directory: Path, *, ovs: bool = False, mtu: int = 1500, **options: Any
    ) -> None:
        require("ip", "nft", "nsenter", "setpriv", root=True)
        tag = secrets.token_hex(3)
        self.mtu = mtu
        self._options = options
        first, second = "192.0.2.1", "192.0.2.2"
        self.hosts = [
            Host(f"rs-{tag}-h1", first, second),
            Host(f"rs-{tag}-h2", second, first),
        ]
        self.switches: list[OpenVSwitch] = []
        self._with_ovs = ovs
        self._directory = directory

    def _make(self, undo: ExitStack) -> None:
        for host in self.hosts:
            add_netns(host.netns)
            undo.callback(remove_netns, host.netns)
        self._join()
        if self._with_ovs:
            for host in self.hosts:
                switch = OpenVSwitch(self._directory / host.netns, host.netns)
                self.switches.append(undo.enter_context(switch))

    def driver(self, number: int, **options: Any) -> SegmentsNetwork:
        """The driver of the first (0) or second (1) host."""
        values = dict(self._options)
        if self.switches:
            values["ovs_database"] = self.switches[number].database
        return self.hosts[number].driver(**(values | options))

    def _join(self) -> None:
        one, two = (host.netns for host in self.hosts)
        for device in (UNDERLAY, TRUNK, FLAT):
            far = ("peer", "name", device, "mtu", str(self.mtu), "netns", two)
            ip("link", "add", device, "mtu", str(self.mtu), "type", "veth", *far, netns=one)
            for host in self.hosts:
                ip("link", "set", device, "up", netns=host.netns)
        for host in self.hosts:
            ip("address", "add", f"{host.address}/24", "dev", UNDERLAY, netns=host.netns)
