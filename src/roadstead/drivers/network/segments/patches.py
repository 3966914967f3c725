"""Uplinks into a bridge that is not the segment's own: the host's, or one of Open vSwitch. A pair
of devices joins the two."""

from roadstead.drivers.host.exec import run
from roadstead.drivers.host.netlink import Link, Netlink, act, write_sysctls
from roadstead.drivers.network.marks import Marks, SegmentMark
from roadstead.drivers.network.segments.ovs import OpenVSwitch
from roadstead.model import networks as n
from roadstead.model.errors import Conflict


class Patches:
    """Makes them in the host's namespace, by threads that are inside."""

    def __init__(self, marks: Marks, ovs: OpenVSwitch) -> None:
        self._marks = marks
        self._ovs = ovs

    def leads_to_switch(self, physical_network: str, device: str) -> bool:
        """Whether the physical network is an Open vSwitch bridge, or the trunk of one of ours."""
        if self._ovs.why_not() is not None:
            return False
        own = self._marks.switch(physical_network)
        return self._ovs.has_bridge(device) or self._ovs.has_bridge(own)

    def ensure(self, links: Netlink, spec: n.SegmentSpec, device: Link) -> Link:
        """The near end of the pair; the far end is on the bridge `device`, or on the Open vSwitch
        bridge it is or is the trunk of."""
        mark = self._marks.of_segment(spec)
        name, far_name = self._marks.uplink(spec.wire), self._marks.patch(spec.wire)
        # Whatever may refuse comes before what would be left over.
        switch = None if device.kind == "bridge" else self._switch(links, spec, device)
        uplink = links.ensure_link(name, mark, kind="veth", peer={"ifname": far_name})
        if uplink.alias != mark:
            return uplink
        far = links.get(far_name)
        no_ipv6(far)
        links.set_link(far, ifalias=mark, mtu=device.mtu)
        if switch is None:
            links.set_link(far, master=device.index, state="up")
            return uplink
        if self._ovs.is_userspace(switch):
            # It reads frames as they are: checksums left to the hardware would never be made.
            act(run, ["ethtool", "-K", uplink.name, "tx", "off"])
        # Both up first: what reaches a port that had no carrier is lost until vswitchd notices.
        no_ipv6(uplink)
        links.set_link(uplink, state="up")
        links.set_link(far, state="up")
        self._ovs.ensure_access_port(switch, far_name, spec.number, mark)
        return uplink

    def ensure_absent(self, segment: SegmentMark, physical_network: str) -> None:
        """Open vSwitch knows nothing of the pair, nor of a bridge of ours without any."""
        if self._ovs.why_not() is not None:
            return
        if self._marks.of_segment(segment) in self._ovs.marks():
            self._ovs.ensure_port_absent(self._marks.patch(segment.wire))
        self._ovs.ensure_bridge_absent_if_idle(self._marks.switch(physical_network))

    def _switch(self, links: Netlink, spec: n.SegmentSpec, device: Link) -> str:
        """The Open vSwitch bridge that `device` is, or else one of ours around it."""
        if self._ovs.has_bridge(device.name):
            return device.name
        name = self._marks.switch(spec.physical_network)
        if self._ovs.bridge_of(device.name) not in (None, name) or (
            device.master is not None and self._ovs.bridge_of(device.name) is None
        ):
            raise Conflict(f"{device.name} is a port of another bridge already")
        refuse_addresses(links, device)
        links.set_link(device, state="up")
        self._ovs.ensure_bridge(name, device.name)
        return name


def refuse_addresses(links: Netlink, device: Link) -> None:
    """Conflict when the host itself lives on the device."""
    if links.addresses(device):
        raise Conflict(f"{device.name} has addresses of the host, which would be cut off")


def no_ipv6(link: Link) -> None:
    """The host has no address on the device of its own accord."""
    write_sysctls({f"ipv6/conf/{link.name}/disable_ipv6": "1"})
