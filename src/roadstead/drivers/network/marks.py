"""The sign by which we find our own again: a line in the alias of a network device and, shorter,
in the comment of a table of rules, where `ip link` and `nft` show it to people, too."""

import msgspec

from roadstead.model import networks as n
from roadstead.model.ids import interface_name

_SIGN = "roadstead"


class SegmentMark(msgspec.Struct, frozen=True):
    id: str
    wire: str = ""


class PortMark(msgspec.Struct, frozen=True):
    id: str
    segment_id: str = ""
    place_id: str = ""


class PlaceMark(msgspec.Struct, frozen=True):
    id: str


_KINDS: dict[str, type[SegmentMark] | type[PortMark] | type[PlaceMark]] = {
    "segment": SegmentMark,
    "port": PortMark,
    "place": PlaceMark,
}
AnyMark = SegmentMark | PortMark | PlaceMark


class Marks:
    """Names and marks of one owner; several may share a machine and never meet."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def bridge(self, segment_id: str) -> str:
        return interface_name("b", f"{self.owner}/{segment_id}")

    def uplink(self, wire: str) -> str:
        return interface_name("u", f"{self.owner}/{wire}")

    def patch(self, wire: str) -> str:
        """The far end of an uplink that leads into somebody else's bridge."""
        return interface_name("w", f"{self.owner}/{wire}")

    def switch(self, physical_network: str) -> str:
        """Our own Open vSwitch bridge around a physical network's device."""
        return interface_name("o", f"{self.owner}/{physical_network}")

    def port(self, port_id: str) -> str:
        return interface_name("p", f"{self.owner}/{port_id}")

    def interface(self, port_id: str) -> str:
        """A port's name in the share server's namespace."""
        return interface_name("n", f"{self.owner}/{port_id}")

    def of_segment(self, spec: n.SegmentSpec | SegmentMark) -> str:
        return self._line("segment", spec.id, spec.wire)

    def of_port(self, spec: n.PortSpec) -> str:
        return self._line("port", spec.id, spec.segment_id, spec.place.id)

    def of_place(self, place_id: str) -> str:
        return self._line("place", place_id)

    def short(self, kind: str, resource_id: str) -> str:
        """The mark of a table of rules, whose comment has no room for more (128 bytes)."""
        return self._line(kind, resource_id)

    def read(self, line: str | None) -> AnyMark | None:
        """What the line says; None when it is not this owner's."""
        words = (line or "").split(":")
        if words[:2] != [_SIGN, self.owner] or len(words) < 3:
            return None
        struct, fields = _KINDS.get(words[2]), words[3:]
        if struct is None or not 1 <= len(fields) <= len(struct.__struct_fields__):
            return None
        return struct(*fields)

    def _line(self, kind: str, *fields: str) -> str:
        return ":".join((_SIGN, self.owner, kind, *fields))
