"""The bridge port by which a segment leaves the host: a vxlan device, a VLAN of a physical
device, the physical device itself, or a pair of devices into somebody else's bridge."""

import errno
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from roadstead.drivers.host.netlink import Link, Netlink, Refused
from roadstead.drivers.network.marks import Marks, SegmentMark
from roadstead.drivers.network.segments import places
from roadstead.drivers.network.segments.ovs import OpenVSwitch
from roadstead.drivers.network.segments.patches import Patches, no_ipv6, refuse_addresses
from roadstead.model import networks as n
from roadstead.model.errors import Conflict, Transient, Unsupported


class Underlay(msgspec.Struct, frozen=True, kw_only=True):
    """What carries the tenants' frames; the driver's options of the same names."""

    device: str = ""
    address: str = ""
    group: str = ""
    remotes: tuple[str, ...] = ()
    port: int = 4789
    physical_networks: Mapping[str, str] = {}


class Uplinks:
    """Makes uplinks in the host's namespace; each method runs in a thread that is inside."""

    def __init__(self, underlay: Underlay, marks: Marks, ovs: OpenVSwitch, vlan: str) -> None:
        self._underlay = underlay
        self._marks = marks
        self._ovs = ovs
        self._patches = Patches(marks, ovs)
        self._vlan = vlan
        self._kernel_has_vlan: bool | None = None

    def missing(self) -> dict[str, str]:
        """Why a kind of segment cannot be had; a kind that can is not in it."""
        why: dict[str, str] = {}
        if not self._underlay.device:
            why["vxlan"] = "no underlay device is configured"
        if not self._underlay.physical_networks:
            why["flat"] = why["vlan"] = "no physical network is configured"
        elif self.vlan_means() is None:
            kernel = "the kernel has no 802.1q" if self._vlan != "ovs" else ""
            ovs = self._ovs.why_not() if self._vlan != "kernel" else ""
            why["vlan"] = ", ".join(filter(None, (kernel, ovs)))
        return why

    def vlan_means(self) -> str | None:
        """By what VLANs are tagged here: kernel, ovs, or None."""
        if self._vlan in ("auto", "kernel"):
            if self._kernel_has_vlan is None:
                self._kernel_has_vlan = places.in_scratch(_try_vlan)
            if self._kernel_has_vlan:
                return "kernel"
        if self._vlan in ("auto", "ovs") and self._ovs.why_not() is None:
            return "ovs"
        return None

    def largest_mtu(self, links: Netlink, spec: n.SegmentSpec) -> int:
        """What the wire can carry. Unsupported when it cannot be had here; Transient while its
        device is not there."""
        if spec.kind == "vxlan":
            return self.vxlan_mtu(links)
        return self._device(links, self._physical(spec)).mtu

    def vxlan_mtu(self, links: Netlink) -> int:
        """The largest MTU of a vxlan segment over this underlay."""
        if not self._underlay.device:
            raise Unsupported("vxlan: no underlay device is configured")
        device = self._device(links, self._underlay.device)
        return device.mtu - n.VXLAN_OVERHEAD[self._local(links, device).version]

    def ensure(self, links: Netlink, spec: n.SegmentSpec) -> Link:
        """The uplink is there, not yet up nor on a bridge. Conflict when another id has it."""
        mark = self._marks.of_segment(spec)
        if spec.kind == "vxlan":
            uplink = self._vxlan(links, spec, mark)
        elif self._is_patch(links, spec):
            uplink = self._patches.ensure(links, spec, self._device(links, self._physical(spec)))
        elif spec.kind == "vlan":
            uplink = self._vlan_device(links, spec, mark)
        else:
            return self._physical_device(links, spec)
        if uplink.alias != mark:
            raise Conflict(f"{spec.wire} is another segment's: {uplink.alias or uplink.name}")
        return uplink

    def ensure_absent(self, links: Netlink, segment: SegmentMark, bridge: Link | None) -> None:
        """Nothing of the segment's uplink is left; a physical device on the bridge is set free.
        Another segment's uplink to the same wire stays."""
        kind, physical = _split(segment.wire)
        mark = self._marks.of_segment(segment)
        uplink = links.find(self._marks.uplink(segment.wire))
        if uplink is not None and uplink.alias != mark:
            return
        if kind != "vxlan":
            self._patches.ensure_absent(segment, physical)
        if uplink is not None:
            links.ensure_link_absent(uplink.name)
        name = self._underlay.physical_networks.get(physical, "") if kind == "flat" else ""
        device = links.find(name) if name else None
        if device and bridge and device.master == bridge.index:
            links.set_link(device, master=0)

    def name(self, links: Netlink, wire: str) -> str | None:
        """The device that should be the uplink of that wire, if it is there."""
        kind, physical = _split(wire)
        found = links.find(self._marks.uplink(wire))
        if found is None and kind == "flat" and physical in self._underlay.physical_networks:
            found = links.find(self._underlay.physical_networks[physical])
        return found.name if found else None

    def strays(self) -> list[str]:
        """Marks that Open vSwitch keeps, also of ports whose devices are gone."""
        return [] if self._ovs.why_not() else self._ovs.marks()

    def _vxlan(self, links: Netlink, spec: n.SegmentSpec, mark: str) -> Link:
        under = self._underlay
        device = self._device(links, under.device)
        local = self._local(links, device)
        six = "6" if local.version == 6 else ""
        values: dict[str, Any] = {
            "vxlan_id": spec.number,
            "vxlan_port": under.port,
            "vxlan_link": device.index,
            "vxlan_learning": True,
            f"vxlan_local{six}": str(local),
        }
        if under.group:
            values[f"vxlan_group{six}"] = under.group
        name = self._marks.uplink(spec.wire)
        uplink = _ensure_own(links, spec, name, mark, kind="vxlan", **values)
        if not under.group:
            links.ensure_remotes(uplink, under.remotes)
        return uplink

    def _vlan_device(self, links: Netlink, spec: n.SegmentSpec, mark: str) -> Link:
        device = self._device(links, self._physical(spec))
        if not device.up:
            links.set_link(device, state="up")
        name = self._marks.uplink(spec.wire)
        values = {"kind": "vlan", "link": device.index, "vlan_id": spec.number}
        return _ensure_own(links, spec, name, mark, **values)

    def _physical_device(self, links: Netlink, spec: n.SegmentSpec) -> Link:
        device = self._device(links, self._physical(spec))
        bridge = links.get(self._marks.bridge(spec.id))
        if device.master not in (None, bridge.index):
            raise Conflict(f"{device.name} is a port of another bridge already")
        refuse_addresses(links, device)
        return device

    def _is_patch(self, links: Netlink, spec: n.SegmentSpec) -> bool:
        name = self._physical(spec)
        if spec.kind == "vlan":
            means = self.vlan_means()
            if means is None:
                raise Unsupported(f"vlan: {self.missing()['vlan']}")
            return means == "ovs" or self._patches.leads_to_switch(spec.physical_network, name)
        if self._device(links, name).kind == "bridge":
            return True
        return self._patches.leads_to_switch(spec.physical_network, name)

    def _physical(self, spec: n.SegmentSpec) -> str:
        known = self._underlay.physical_networks
        if spec.physical_network not in known:
            names = ", ".join(sorted(known)) or "none"
            raise Unsupported(f"physical network {spec.physical_network!r}: known are {names}")
        return known[spec.physical_network]

    def _device(self, links: Netlink, name: str) -> Link:
        found = links.find(name)
        if found is None:
            raise Transient(f"the underlay's device {name} is not there")
        return found

    def _local(self, links: Netlink, device: Link) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        if self._underlay.address:
            return ipaddress.ip_address(self._underlay.address)
        addresses: Sequence[str] = links.addresses(device)
        if not addresses:
            raise Transient(f"the underlay's device {device.name} has no address")
        return ipaddress.ip_interface(addresses[0]).ip


def prepare_port(links: Netlink, port: Link, bridge: Link, mtu: int) -> None:
    """The device is an up port of the bridge, and no address of the host is on it."""
    no_ipv6(port)
    changes: dict[str, Any] = {}
    if port.mtu != mtu:
        changes["mtu"] = mtu
    if port.master != bridge.index:
        changes["master"] = bridge.index
    if changes or not port.up:
        links.set_link(port, **changes, state="up")


def _ensure_own(links: Netlink, spec: n.SegmentSpec, name: str, mark: str, **values: Any) -> Link:
    try:
        return links.ensure_link(name, mark, **values)
    except Refused as error:
        if error.code == errno.EEXIST:
            raise Conflict(f"{spec.wire} is in use on this host already") from error
        raise


def _split(wire: str) -> tuple[str, str]:
    """Kind and physical network."""
    kind, _, rest = wire.partition("-")
    return kind, rest.rpartition("-")[0] if kind == "vlan" else rest


def _try_vlan(links: Netlink) -> bool:
    try:
        under = links.ensure_link("under", "trial", kind="bridge")
        # The kernel loads its module for this, if it has one.
        links.ensure_link("over", "trial", kind="vlan", link=under.index, vlan_id=1)
    except Refused:
        return False
    return True
