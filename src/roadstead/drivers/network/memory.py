"""A network driver made of dictionaries: what tests and a first look at the service run on."""

import threading
from collections.abc import Iterator
from typing import Annotated

import msgspec

from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.network import checks
from roadstead.drivers.network.marks import Marks
from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, InUse, NotFound, Unsupported

_LARGEST = {"flat": 1500, "vlan": 1500, "vxlan": 1450}


class MemoryNetwork:
    """Carries no frame, but refuses what a real driver refuses.

    `fail` maps a method's name to the exception its next calls raise, until it is taken out.
    `busy` holds the ids of places in which a process runs.
    """

    class Options(DriverOptions, frozen=True):
        """What it says of itself."""

        owner: Annotated[
            str, doc("Whose marks these are, when several services share a machine")
        ] = "local"
        physical_networks: Annotated[
            dict[str, str], doc("Name of each that can be had, and anything")
        ] = msgspec.field(default_factory=lambda: {"physnet1": "memory"})

    def __init__(self, options: Options) -> None:
        checks.check_name("owner", options.owner)
        self.fail: dict[str, Exception] = {}
        self.busy: set[str] = set()
        self._marks = Marks(options.owner)
        self._physical_networks = tuple(sorted(options.physical_networks))
        self._segments: dict[str, tuple[str, n.Segment]] = {}  # id: wire and segment
        self._places: dict[str, w.Place] = {}
        self._ports: dict[str, n.Port] = {}
        self._down: set[str] = set()
        self._lock = threading.RLock()

    def capabilities(self) -> n.NetworkInfo:
        """As the Protocol says."""
        with self._calling("capabilities"):
            here = self._physical_networks
            return n.NetworkInfo(
                kind="memory",
                segment_kinds=n.KINDS if here else ("vxlan",),
                physical_networks=here,
                vlan_means="kernel" if here else None,
                vxlan_mtu=_LARGEST["vxlan"],
            )

    def ensure_segment(self, spec: n.SegmentSpec) -> n.Segment:
        """As the Protocol says."""
        with self._calling("ensure_segment"):
            checks.check_segment(spec)
            if spec.physical_network and spec.physical_network not in self._physical_networks:
                names = ", ".join(self._physical_networks) or "none"
                raise Unsupported(f"physical network {spec.physical_network!r}: known are {names}")
            mtu = checks.check_mtu(spec.mtu, _LARGEST[spec.kind], f"segment {spec.wire}")
            for other, (wire, _) in self._segments.items():
                if (other == spec.id) != (wire == spec.wire):
                    raise Conflict(f"{wire} is segment {other}")
            made = n.Segment(
                id=spec.id,
                device=self._marks.bridge(spec.id),
                uplink=self._marks.uplink(spec.wire),
                mtu=mtu,
            )
            self._segments[spec.id] = (spec.wire, made)
            return made

    def ensure_segment_absent(self, ref: n.SegmentRef) -> None:
        """As the Protocol says."""
        with self._calling("ensure_segment_absent"):
            for port in self._ports.values():
                if port.segment_id == ref.id:
                    raise InUse(f"port {port.id} is on segment {ref.id}")
            self._segments.pop(ref.id, None)

    def ensure_place(self, place: w.Place) -> None:
        """As the Protocol says."""
        with self._calling("ensure_place"):
            checks.check_place(place)
            self._places[place.id] = place

    def ensure_place_absent(self, place: w.Place) -> None:
        """As the Protocol says."""
        with self._calling("ensure_place_absent"):
            checks.check_place(place)
            for port in self._ports.values():
                if port.place_id == place.id:
                    raise InUse(f"port {port.id} is in place {place.id}")
            if place.id in self.busy:
                raise InUse(f"a process runs in place {place.id}")
            self._places.pop(place.id, None)

    def ensure_port(self, spec: n.PortSpec) -> n.Port:
        """As the Protocol says."""
        with self._calling("ensure_port"):
            checks.check_port(spec)
            if spec.place.id not in self._places:
                raise NotFound(f"there is no place {spec.place.id}")
            if spec.segment_id not in self._segments:
                raise NotFound(f"this host is not on segment {spec.segment_id}")
            mtu = checks.check_port_mtu(spec, self._segments[spec.segment_id][1].mtu)
            before, may = self._ports.get(spec.id), checks.normal(spec.guests)
            guests = [a for a in before.addresses if a in may] if before else []
            own = checks.normal(spec.addresses)
            port = n.Port(
                id=spec.id,
                segment_id=spec.segment_id,
                place_id=spec.place.id,
                device=self._marks.port(spec.id),
                interface=self._marks.interface(spec.id),
                mac=spec.mac or n.port_mac(spec.id),
                addresses=(*own, *(a for a in guests if a not in own)),
                mtu=mtu,
            )
            self._compare(before, port)
            self._ports[spec.id] = port
            self._down.discard(spec.id)
            return port

    def port_addresses(self, ref: n.PortRef) -> tuple[str, ...]:
        """As the Protocol says."""
        with self._calling("port_addresses"):
            port = self._ports.get(ref.id)
            return port.addresses if port else ()

    def set_addresses(self, ref: n.PortRef, addresses: tuple[str, ...]) -> None:
        """For tests: the port has these, as by hand."""
        with self._lock:
            self._ports[ref.id] = msgspec.structs.replace(self._ports[ref.id], addresses=addresses)

    def ensure_port_down(self, ref: n.PortRef) -> None:
        """As the Protocol says."""
        with self._calling("ensure_port_down"):
            if ref.id in self._ports:
                self._down.add(ref.id)

    def ensure_port_absent(self, ref: n.PortRef) -> None:
        """As the Protocol says."""
        with self._calling("ensure_port_absent"):
            self._ports.pop(ref.id, None)
            self._down.discard(ref.id)

    def find_port(self, port_id: str) -> n.Port | None:
        """The port as it was made last."""
        with self._lock:
            return self._ports.get(port_id)

    def inventory(self) -> Iterator[w.Mark]:
        """As the Protocol says."""
        with self._calling("inventory"):
            segments, places = list(self._segments.items()), list(self._places.values())
            ports, down = list(self._ports.values()), set(self._down)
        for segment_id, (wire, segment) in segments:
            facts: dict[str, object] = {"wire": wire, "device": segment.device}
            yield w.Mark(kind="segment", id=segment_id, facts=facts)
        for port in ports:
            facts = {
                "segment_id": port.segment_id,
                "place_id": port.place_id,
                "device": port.device,
            }
            broken = "it is down" if port.id in down else None
            yield w.Mark(kind="port", id=port.id, facts=facts, broken=broken)
        for place in places:
            yield w.Mark(kind="place", id=place.id, facts={"netns": place.netns})

    def _compare(self, before: n.Port | None, wanted: n.Port) -> None:
        if before is None:
            return
        if (before.segment_id, before.place_id) != (wanted.segment_id, wanted.place_id):
            raise Conflict(f"port {before.id} is elsewhere")
        if before.mac != wanted.mac:
            raise Conflict(f"port {before.id} has MAC {before.mac}")

    def _calling(self, method: str) -> threading.RLock:
        """The lock, for the length of one call; raises what the tests wanted raised."""
        if method in self.fail:
            raise self.fail[method]
        return self._lock
