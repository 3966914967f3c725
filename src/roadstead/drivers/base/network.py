"""What a network driver must offer; the rules of `drivers.base` hold here, too.

The way of a share server: ensure_segment, ensure_place, ensure_port for each subnet, then its
export server. Away again: the export server, ensure_port_down, ensure_port_absent,
ensure_place_absent, ensure_segment_absent; each refuses while what comes before it is left.
"""

from collections.abc import Iterator
from typing import Protocol

from roadstead.model import networks as n
from roadstead.model import world as w


class Network(Protocol):
    """Brings share servers onto the tenants' own networks."""

    def capabilities(self) -> n.NetworkInfo:
        """What can be had on this host now. Changes nothing that stays."""
        ...

    def ensure_segment(self, spec: n.SegmentSpec) -> n.Segment:
        """The host is on the segment; the segment has no way into the host.

        Its MTU is the one asked for; ports there already follow when they are ensured again.
        Unsupported when this host
        cannot have the kind, number, physical network or MTU; Conflict when the id is another
        wire's, or the wire another id's; Transient while the underlay is not there.
        """
        ...

    def ensure_segment_absent(self, ref: n.SegmentRef) -> None:
        """The host is not on the segment. InUse while anything but its uplink is on it."""
        ...

    def ensure_place(self, place: w.Place) -> None:
        """The place's namespace exists, forwards nothing and believes no router or redirect.

        `place.netns` is `ids.place_netns(place.id)`; Unsupported otherwise.
        """
        ...

    def ensure_place_absent(self, place: w.Place) -> None:
        """The namespace is gone. InUse while a process or a port is in it."""
        ...

    def ensure_port(self, spec: n.PortSpec) -> n.Port:
        """The place is on the segment with these addresses, and can speak as nobody else.

        Nothing answers on the port before its anti-spoofing rules are in force. A driver that
        `allocates` may return other addresses than asked for. NotFound without the segment or
        the place; Conflict when the port exists with another segment, place or MAC;
        Unsupported for addresses, a gateway or an MTU that cannot be. Addresses asked for no more
        are off the port.
        """
        ...

    def port_addresses(self, ref: n.PortRef) -> tuple[str, ...]:
        """What addresses the port has now, with prefix length; () without such a port."""
        ...

    def ensure_port_down(self, ref: n.PortRef) -> None:
        """Nobody gets an answer from the port's addresses; it can be had again by ensure_port.
        An unknown port is success."""
        ...

    def ensure_port_absent(self, ref: n.PortRef) -> None:
        """Neither the port nor its rules and routes are left."""
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Kinds segment (facts wire, device), place (facts netns) and port (facts segment_id,
        place_id, device); broken says what is missing, e.g. the anti-spoofing rules of a port."""
        ...
