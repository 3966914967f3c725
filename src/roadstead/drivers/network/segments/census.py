"""What a host has of ours, and what of it is broken."""

from roadstead.drivers.host.netlink import Link, Netlink
from roadstead.drivers.network.marks import Marks, PortMark, SegmentMark
from roadstead.drivers.network.segments.guard import Rules
from roadstead.drivers.network.segments.uplinks import Uplinks
from roadstead.model import world as w

NO_GUARD = "its anti-spoofing rules are missing"


def find_marks(links: Netlink, marks: Marks, uplinks: Uplinks, rules: Rules) -> list[w.Mark]:
    """Every segment and port of the owner, be it only rules or half of it."""
    devices = {link.name: link for link in links.links()}
    found: dict[tuple[str, str], w.Mark] = {}
    # Devices first: their marks say the most.
    lines = [link.alias for link in devices.values()] + uplinks.strays()
    lines += [*rules.ports.values(), *rules.bridges.values(), *rules.uplinks.values()]
    for line in lines:
        mark = marks.read(line)
        if isinstance(mark, PortMark | SegmentMark) and (_kind(mark), mark.id) in found:
            continue
        if isinstance(mark, SegmentMark):
            found["segment", mark.id] = _segment(mark, links, marks, uplinks, devices, rules)
        elif isinstance(mark, PortMark):
            found["port", mark.id] = _port(mark, marks, devices, rules)
    return list(found.values())


def _kind(mark: PortMark | SegmentMark) -> str:
    return "port" if isinstance(mark, PortMark) else "segment"


def _segment(
    mark: SegmentMark,
    links: Netlink,
    marks: Marks,
    uplinks: Uplinks,
    devices: dict[str, Link],
    rules: Rules,
) -> w.Mark:
    name = marks.bridge(mark.id)
    bridge, uplink = devices.get(name), devices.get(uplinks.name(links, mark.wire) or "")
    broken = None
    if bridge is None:
        broken = "its bridge is missing"
    elif uplink is None or uplink.master != bridge.index or not uplink.up or not bridge.up:
        broken = "its uplink is missing"
    elif name not in rules.bridges or uplink.name not in rules.uplinks:
        broken = "the host is reachable from it"
    facts: dict[str, object] = {"wire": mark.wire, "device": name}
    return w.Mark(kind="segment", id=mark.id, facts=facts, broken=broken)


def _port(
    mark: PortMark,
    marks: Marks,
    devices: dict[str, Link],
    rules: Rules,
) -> w.Mark:
    name = marks.port(mark.id)
    port, bridge = devices.get(name), devices.get(marks.bridge(mark.segment_id))
    broken = None
    if port is None:
        broken = "its device is missing"
    elif name not in rules.ports:
        broken = NO_GUARD
    elif bridge is None or port.master != bridge.index:
        broken = "it is not on its segment"
    elif not port.up:
        broken = "it is down"
    facts: dict[str, object] = {
        "segment_id": mark.segment_id,
        "place_id": mark.place_id,
        "device": name,
    }
    return w.Mark(kind="port", id=mark.id, facts=facts, broken=broken)
