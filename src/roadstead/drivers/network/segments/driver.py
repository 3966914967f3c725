"""The network road without any cloud: a bridge per segment, joined to the wire by an uplink, and
a pair of devices from it into each share server's namespace.

Nothing is kept but in the kernel (and Open vSwitch): names derive from ids, marks are in aliases.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.host import netlink
from roadstead.drivers.host import netns as namespaces
from roadstead.drivers.host.netlink import Link, Netlink, T
from roadstead.drivers.network import checks
from roadstead.drivers.network.marks import Marks, PortMark, SegmentMark
from roadstead.drivers.network.segments import places
from roadstead.drivers.network.segments.census import find_marks
from roadstead.drivers.network.segments.guard import Guard
from roadstead.drivers.network.segments.ovs import OpenVSwitch
from roadstead.drivers.network.segments.port import configure, gateway_table
from roadstead.drivers.network.segments.uplinks import Underlay, Uplinks, prepare_port
from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, InUse, NotFound, RoadsteadError, Transient
from roadstead.model.ids import place_netns

OVS_DATABASE = "unix:/run/openvswitch/db.sock"
_FIREWALL = (
    "net.bridge.bridge-nf-call-iptables is on: this host's firewall sees the tenants' frames, with "
    "one table of connections for all of them"
)


class SegmentsNetwork:
    """Bridges, VXLANs, VLANs and namespaces of this host; see
    `roadstead.drivers.base.network.Network`."""

    class Options(DriverOptions, frozen=True):
        """How this host is on the wires."""

        owner: Annotated[
            str, doc("Whose marks these are, when several services share a machine")
        ] = "local"
        underlay: Annotated[str, doc("The device that carries VXLAN")] = ""
        underlay_address: Annotated[
            str, doc("This host's address on it; '' = the device's first")
        ] = ""
        vxlan_group: Annotated[str, doc("Where floods go: a multicast group; or vxlan_remotes")] = (
            ""
        )
        vxlan_remotes: Annotated[
            tuple[str, ...], doc("Where floods go: the other hosts' addresses, one by one")
        ] = ()
        vxlan_port: Annotated[int, doc("UDP port", ge=1, le=65535)] = 4789
        physical_networks: Annotated[
            dict[str, str],
            doc("Name of each, and its device, bridge or Open vSwitch bridge on this host"),
        ] = msgspec.field(default_factory=dict[str, str])
        vlan: Annotated[
            Literal["auto", "kernel", "ovs"],
            doc("Who makes VLANs; auto = the kernel's 802.1q where there is one"),
        ] = "auto"
        ovs_database: Annotated[str, doc("Of Open vSwitch, for bridges that we make")] = (
            OVS_DATABASE
        )
        ovs_datapath: Annotated[
            Literal["auto", "system", "netdev"], doc("Of the bridges that we make there")
        ] = "auto"
        netns: Annotated[str, doc("The namespace of the host's own side; '' = the agent's")] = ""

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            # Two agents of one machine must not sweep each other's segments.
            return {"owner": where.owner}

    def __init__(self, options: Options) -> None:
        checks.check_name("owner", options.owner)
        self._netns = options.netns or None
        self._marks = Marks(options.owner)
        self._guard = Guard(options.owner)
        self._physical_networks = options.physical_networks
        below = Underlay(
            device=options.underlay,
            address=options.underlay_address,
            group=options.vxlan_group,
            remotes=options.vxlan_remotes,
            port=options.vxlan_port,
            physical_networks=self._physical_networks,
        )
        ovs = OpenVSwitch(options.ovs_database, options.ovs_datapath, options.owner)
        self._uplinks = Uplinks(below, self._marks, ovs, options.vlan)
        # Segments share switches; ports share bridges only with what the kernel keeps apart.
        self._segments_lock = threading.Lock()

    def capabilities(self) -> n.NetworkInfo:
        """As the Protocol says."""

        def look(links: Netlink) -> n.NetworkInfo:
            why = self._uplinks.missing()
            missing = [f"{kind}: {reason}" for kind, reason in sorted(why.items())]
            mtu = None
            if "vxlan" not in why:
                try:
                    mtu = self._uplinks.vxlan_mtu(links)
                except Transient as error:
                    missing.append(f"vxlan: {error}")
            return n.NetworkInfo(
                kind="segments",
                segment_kinds=tuple(kind for kind in n.KINDS if kind not in why),
                physical_networks=tuple(sorted(self._physical_networks)),
                vlan_means=None if "vlan" in why else self._uplinks.vlan_means(),
                vxlan_mtu=mtu,
                missing=tuple(missing),
                warnings=(_FIREWALL,) if _firewall_sees_bridges() else (),
            )

        return self._on_host(look)

    def ensure_segment(self, spec: n.SegmentSpec) -> n.Segment:
        """As the Protocol says."""
        checks.check_segment(spec)

        def make(links: Netlink) -> n.Segment:
            largest = self._uplinks.largest_mtu(links, spec)
            mtu = checks.check_mtu(spec.mtu, largest, f"segment {spec.wire}")
            fresh = links.find(self._marks.bridge(spec.id)) is None
            bridge = self._bridge(links, spec)
            try:
                uplink = self._uplinks.ensure(links, spec)
            except RoadsteadError:
                if fresh:
                    links.ensure_link_absent(bridge.name)
                raise
            mark = self._marks.short("segment", spec.id)
            self._guard.ensure_segment(bridge.name, uplink.name, mark=mark)
            prepare_port(links, uplink, bridge, mtu)
            links.set_link(bridge, mtu=mtu, state="up")
            if uplink.kind == "veth":
                links.wait_until_forwarding(uplink.name)
            return n.Segment(id=spec.id, device=bridge.name, uplink=uplink.name, mtu=mtu)

        with self._segments_lock:
            return self._on_host(make)

    def ensure_segment_absent(self, ref: n.SegmentRef) -> None:
        """As the Protocol says."""
        checks.check_name("segment id", ref.id)

        def unmake(links: Netlink) -> None:
            name = self._marks.bridge(ref.id)
            bridge = links.find(name)
            found = self._segment_mark(links, ref.id, bridge)
            if found is None:
                return
            uplink = self._uplinks.name(links, found.wire)
            if bridge is not None:
                for member in links.members(bridge.index):
                    if member.name != uplink:
                        raise InUse(f"{member.name} is on segment {ref.id}")
            if found.wire:
                self._uplinks.ensure_absent(links, found, bridge)
            self._guard.ensure_segment_absent(name, mark=self._marks.short("segment", ref.id))
            links.ensure_link_absent(name)

        with self._segments_lock:
            self._on_host(unmake)

    def ensure_place(self, place: w.Place) -> None:
        """As the Protocol says."""
        places.ensure(self._marks, checks.check_place(place), place.id)

    def ensure_place_absent(self, place: w.Place) -> None:
        """As the Protocol says."""
        name = checks.check_place(place)
        try:
            inside = netlink.within(name, lambda links: links.links())
        except NotFound:
            inside = []
        for link in inside:
            if link.kind == "veth":
                raise InUse(f"port {link.alias or link.name} is in place {place.id}")
        places.ensure_absent(self._marks, name, place.id)

    def ensure_port(self, spec: n.PortSpec) -> n.Port:
        """As the Protocol says."""
        checks.check_port(spec)
        netns = checks.check_place(spec.place)
        if places.owner_of(netns) is None:
            raise NotFound(f"there is no place {spec.place.id}")
        port = self._on_host(lambda links: self._host_end(links, spec, netns))
        mark = self._marks.of_port(spec)
        netlink.within(netns, lambda links: configure(links, spec, port, mark=mark))
        self._on_host(lambda links: links.wait_until_forwarding(port.device))
        return port

    def port_addresses(self, ref: n.PortRef) -> tuple[str, ...]:
        """As the Protocol says."""
        port = self._on_host(lambda links: links.find(self._marks.port(ref.id)))
        mark = self._marks.read(port.alias) if port else None
        if not isinstance(mark, PortMark):
            return ()
        interface = self._marks.interface(ref.id)

        def look(inside: Netlink) -> tuple[str, ...]:
            end = inside.find(interface)
            return tuple(inside.addresses(end)) if end else ()

        try:
            return checks.normal(netlink.within(place_netns(mark.place_id), look))
        except NotFound:
            return ()

    def ensure_port_down(self, ref: n.PortRef) -> None:
        """As the Protocol says."""

        def lower(links: Netlink) -> None:
            found = links.find(self._marks.port(ref.id))
            if found is not None:
                links.set_link(found, state="down")

        self._on_host(lower)

    def ensure_port_absent(self, ref: n.PortRef) -> None:
        """As the Protocol says."""
        name = self._marks.port(ref.id)

        def unmake(links: Netlink) -> None:
            found = links.find(name)
            mark = self._marks.read(found.alias) if found else None
            if found is not None:
                links.set_link(found, state="down")
            if isinstance(mark, PortMark):
                self._forget_routes(mark)
            links.ensure_link_absent(name)
            self._guard.ensure_port_absent(name)  # last: a port is never without it

        self._on_host(unmake)

    def inventory(self) -> Iterator[w.Mark]:
        """As the Protocol says."""
        yield from self._on_host(
            lambda links: find_marks(links, self._marks, self._uplinks, self._guard.read())
        )
        for place_id, broken in places.inventory(self._marks):
            facts: dict[str, object] = {"netns": place_netns(place_id)}
            yield w.Mark(kind="place", id=place_id, facts=facts, broken=broken)

    def _on_host(self, call: Callable[[Netlink], T]) -> T:
        return netlink.within(self._netns, call)

    def _bridge(self, links: Netlink, spec: n.SegmentSpec) -> Link:
        mark = self._marks.of_segment(spec)
        # A tenant's multicast is the tenant's business; neighbour discovery lives on it.
        options = {"br_mcast_snooping": 0, "br_forward_delay": 0, "br_stp_state": 0}
        bridge = links.ensure_link(self._marks.bridge(spec.id), mark, kind="bridge", **options)
        if bridge.alias != mark:
            raise Conflict(f"segment {spec.id} is another wire's: {bridge.alias}")
        netlink.write_sysctls({f"ipv6/conf/{bridge.name}/disable_ipv6": "1"})
        return bridge

    def _segment_mark(
        self, links: Netlink, segment_id: str, bridge: Link | None
    ) -> SegmentMark | None:
        """The segment's mark, wherever there is one left."""
        if bridge is not None:
            lines = [bridge.alias]
        else:
            lines = [link.alias for link in links.links()] + self._uplinks.strays()
            rules = self._guard.read()
            lines += [*rules.bridges.values(), *rules.uplinks.values()]
        for line in lines:
            mark = self._marks.read(line)
            if isinstance(mark, SegmentMark) and mark.id == segment_id:
                return mark
        return None

    def _host_end(self, links: Netlink, spec: n.PortSpec, netns: str) -> n.Port:
        bridge = links.find(self._marks.bridge(spec.segment_id))
        segment = self._marks.read(bridge.alias) if bridge else None
        if bridge is None or not isinstance(segment, SegmentMark):
            raise NotFound(f"this host is not on segment {spec.segment_id}")
        mtu = checks.check_port_mtu(spec, bridge.mtu)
        mark, mac = self._marks.of_port(spec), spec.mac or n.port_mac(spec.id)
        name, interface = self._marks.port(spec.id), self._marks.interface(spec.id)
        self._compare(links, spec, netns, mac)
        with namespaces.opened(netns) as fd:
            peer = {"ifname": interface, "net_ns_fd": fd, "address": mac, "mtu": mtu}
            port = links.ensure_link(name, mark, kind="veth", mtu=mtu, peer=peer)
        addresses, short = checks.normal(spec.addresses), self._marks.short("port", spec.id)
        uplink = self._uplinks.name(links, segment.wire)
        speaks = (*addresses, *checks.normal(spec.guests))
        self._guard.ensure_port(name, mac=mac, addresses=speaks, mark=short, uplink=uplink)
        prepare_port(links, port, bridge, mtu)
        return n.Port(
            id=spec.id,
            segment_id=spec.segment_id,
            place_id=spec.place.id,
            device=name,
            interface=interface,
            mac=mac,
            addresses=addresses,
            mtu=mtu,
        )

    def _compare(self, links: Netlink, spec: n.PortSpec, netns: str, mac: str) -> None:
        """What is there of the port is as asked for; a pair whose namespace is lost is gone."""
        name, interface = self._marks.port(spec.id), self._marks.interface(spec.id)
        port = links.find(name)
        if port is None:
            return
        if port.alias != self._marks.of_port(spec):
            raise Conflict(f"port {spec.id} is elsewhere: {port.alias}")

        end = netlink.within(netns, lambda inside: inside.find(interface))
        if end is None:
            links.ensure_link_absent(name)
        elif end.mac != mac:
            raise Conflict(f"port {spec.id} has MAC {end.mac}")

    def _forget_routes(self, mark: PortMark) -> None:
        try:
            table = gateway_table(mark.id)
            netlink.within(place_netns(mark.place_id), lambda i: i.ensure_gateway_absent(table))
        except NotFound:
            pass


def _firewall_sees_bridges() -> bool:
    try:
        return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1"
    except OSError:
        return False
