"""What every network driver must do.

A driver is tested by a subclass with a fixture `bench` that gives a NetworkBench:

    class TestMine(NetworkConformance):
        @pytest.fixture
        def bench(self): ...
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.errors import Conflict, InUse, NotFound, Unsupported
from roadstead.model.ids import new_id, place_netns

if TYPE_CHECKING:
    from roadstead.drivers.base.network import Network

LONGEST = "x" * 48


@dataclass
class Seen:
    """A port as the world has it."""

    mac: str
    addresses: set[str]
    mtus: set[int]  # of both ends
    up: bool


@dataclass
class NetworkBench:
    """A driver and where to try it. `look` is the port as it really is; None when it is not."""

    driver: Network
    look: Callable[[n.Port], Seen | None]
    # A process inside the place until the returned function is called.
    occupy: Callable[[w.Place], Callable[[], None]]
    physical_networks: dict[str, str] = field(default_factory=dict[str, str])  # by kind
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1001))

    def segment(self, kind: str = "vxlan", **changes: Any) -> n.SegmentSpec:
        """A segment nobody has yet; skips when this host cannot have the kind."""
        info = self.driver.capabilities()
        if kind not in info.segment_kinds:
            pytest.skip(f"NOT TESTED on this kernel: no {kind} segments: {'; '.join(info.missing)}")
        values: dict[str, Any] = {"id": new_id(), "kind": kind}
        if kind != "flat":
            values["number"] = next(self.numbers)
        if kind != "vxlan":
            values["physical_network"] = self.physical_networks[kind]
        return n.SegmentSpec(**(values | changes))

    def place(self) -> w.Place:
        """A share server's namespace, made."""
        place = new_place()
        self.driver.ensure_place(place)
        return place

    def port(self, segment: n.SegmentSpec, **changes: Any) -> n.PortSpec:
        values: dict[str, Any] = {"id": new_id(), "segment_id": segment.id}
        values["addresses"] = ("10.0.0.5/24",)
        if "place" not in changes:
            values["place"] = self.place()
        return n.PortSpec(**(values | changes))

    def made(self, kind: str = "vxlan", **changes: Any) -> tuple[n.SegmentSpec, n.PortSpec]:
        """A segment with a port on it."""
        segment = self.segment(kind)
        self.driver.ensure_segment(segment)
        port = self.port(segment, **changes)
        self.driver.ensure_port(port)
        return segment, port

    def found(self) -> dict[tuple[str, str], w.Mark]:
        return {(mark.kind, mark.id): mark for mark in self.driver.inventory()}

    def remove(self, segment: n.SegmentSpec, *ports: n.PortSpec) -> None:
        """The way back."""
        for port in ports:
            self.driver.ensure_port_down(n.PortRef(id=port.id))
            self.driver.ensure_port_absent(n.PortRef(id=port.id))
        for port in ports:
            self.driver.ensure_place_absent(port.place)
        self.driver.ensure_segment_absent(n.SegmentRef(id=segment.id))


def new_place() -> w.Place:
    place_id = new_id()
    return w.Place(id=place_id, netns=place_netns(place_id))


class NetworkConformance:
    """The suite."""

    @pytest.mark.parametrize("kind", n.KINDS)
    def test_a_share_server_comes_and_goes(self, bench: NetworkBench, kind: str) -> None:
        """N-I2, N-I5: a place, a port with address and MTU, and nothing left of either."""
        before = bench.found()
        segment = bench.segment(kind)
        made = bench.driver.ensure_segment(segment)
        spec = bench.port(segment, addresses=("10.0.0.5/24", "fd00::5/64"), gateway="10.0.0.1")
        port = bench.driver.ensure_port(spec)
        assert (port.mtu, port.mac) == (made.mtu, n.port_mac(spec.id))
        seen = bench.look(port)
        assert seen == Seen(port.mac, {"10.0.0.5/24", "fd00::5/64"}, {made.mtu}, True)
        new = {key: mark for key, mark in bench.found().items() if key not in before}
        assert new.keys() == {
            ("segment", segment.id),
            ("place", spec.place.id),
            ("port", spec.id),
        }
        assert [mark.broken for mark in new.values()] == [None] * 3
        assert new["segment", segment.id].facts["wire"] == segment.wire
        assert new["port", spec.id].facts["segment_id"] == segment.id
        assert new["port", spec.id].facts["place_id"] == spec.place.id
        assert new["place", spec.place.id].facts == {"netns": spec.place.netns}
        bench.remove(segment, spec)
        assert bench.found() == before
        assert bench.look(port) is None

    @pytest.mark.parametrize("kind", n.KINDS)
    def test_all_of_it_twice_is_once(self, bench: NetworkBench, kind: str) -> None:
        segment = bench.segment(kind)
        assert bench.driver.ensure_segment(segment) == bench.driver.ensure_segment(segment)
        spec = bench.port(segment, gateway="10.0.0.1")
        bench.driver.ensure_place(spec.place)
        assert bench.driver.ensure_port(spec) == bench.driver.ensure_port(spec)
        assert len([m for m in bench.driver.inventory() if m.id == spec.id]) == 1
        bench.remove(segment, spec)
        bench.remove(segment, spec)

    def test_unknown_things_are_absent(self, bench: NetworkBench) -> None:
        bench.driver.ensure_port_down(n.PortRef(id=new_id()))
        bench.driver.ensure_port_absent(n.PortRef(id=new_id()))
        bench.driver.ensure_place_absent(new_place())
        bench.driver.ensure_segment_absent(n.SegmentRef(id=new_id()))

    def test_the_longest_names(self, bench: NetworkBench) -> None:
        segment = bench.segment(id=LONGEST)
        bench.driver.ensure_segment(segment)
        place = w.Place(id=LONGEST, netns=place_netns(LONGEST))
        bench.driver.ensure_place(place)
        spec = bench.port(segment, id=LONGEST, place=place)
        bench.driver.ensure_port(spec)
        mark = bench.found()["port", LONGEST]
        assert (mark.broken, mark.facts["segment_id"]) == (None, LONGEST)
        bench.remove(segment, spec)

    def test_an_id_has_one_wire(self, bench: NetworkBench) -> None:
        segment = bench.segment()
        bench.driver.ensure_segment(segment)
        with pytest.raises(Conflict):
            bench.driver.ensure_segment(bench.segment(id=segment.id))
        assert bench.found()["segment", segment.id].facts["wire"] == segment.wire
        bench.remove(segment)

    @pytest.mark.parametrize("kind", n.KINDS)
    def test_a_wire_has_one_id(self, bench: NetworkBench, kind: str) -> None:
        """N-I3: two networks of different tenants are never joined by a mistake in numbers."""
        segment, port = bench.made(kind)
        other = bench.segment(kind, number=segment.number)
        before = bench.found()
        with pytest.raises(Conflict):
            bench.driver.ensure_segment(other)
        assert bench.found() == before
        bench.remove(other)
        assert bench.found()["segment", segment.id].broken is None
        assert bench.found()["port", port.id].broken is None
        bench.remove(segment, port)

    def test_a_segment_in_use_stays(self, bench: NetworkBench) -> None:
        segment, port = bench.made()
        with pytest.raises(InUse):
            bench.driver.ensure_segment_absent(n.SegmentRef(id=segment.id))
        assert bench.found()["segment", segment.id].broken is None
        bench.remove(segment, port)

    def test_a_place_in_use_stays(self, bench: NetworkBench) -> None:
        """X-4: what still answers keeps its namespace."""
        segment, port = bench.made()
        with pytest.raises(InUse, match="port"):
            bench.driver.ensure_place_absent(port.place)
        bench.driver.ensure_port_absent(n.PortRef(id=port.id))
        leave = bench.occupy(port.place)
        with pytest.raises(InUse, match="process"):
            bench.driver.ensure_place_absent(port.place)
        leave()
        bench.driver.ensure_place_absent(port.place)
        bench.remove(segment)

    def test_a_port_is_where_it_was_made(self, bench: NetworkBench) -> None:
        segment, port = bench.made()
        other = bench.segment()
        bench.driver.ensure_segment(other)
        elsewhere = bench.place()
        changes: list[dict[str, Any]] = [
            {"segment_id": other.id},
            {"place": elsewhere},
            {"mac": "02:00:00:00:00:09"},
        ]
        for change in changes:
            with pytest.raises(Conflict):
                bench.driver.ensure_port(_changed(port, **change))
        seen = bench.look(bench.driver.ensure_port(port))
        assert seen is not None
        assert seen.addresses == set(port.addresses)
        bench.driver.ensure_place_absent(elsewhere)
        bench.remove(other)
        bench.remove(segment, port)

    def test_a_port_can_have_other_addresses(self, bench: NetworkBench) -> None:
        segment, port = bench.made()
        both = (*port.addresses, "10.0.0.77/24")
        for addresses in (both, port.addresses, ("10.0.0.78/24",)):
            bench.driver.ensure_port(_changed(port, addresses=addresses))
            ref = n.PortRef(id=port.id)
            assert set(bench.driver.port_addresses(ref)) == set(addresses)
        bench.remove(segment, port)
        assert bench.driver.port_addresses(n.PortRef(id=port.id)) == ()

    def test_a_port_can_have_more_addresses(self, bench: NetworkBench) -> None:
        segment, port = bench.made()
        more = _changed(port, addresses=(*port.addresses, "fd00::5/64"))
        seen = bench.look(bench.driver.ensure_port(more))
        assert seen is not None
        assert seen.addresses == {"10.0.0.5/24", "fd00::5/64"}
        bench.remove(segment, port)

    def test_a_port_needs_segment_and_place(self, bench: NetworkBench) -> None:
        segment = bench.segment()
        port = bench.port(segment, place=new_place())
        with pytest.raises(NotFound, match="place"):
            bench.driver.ensure_port(port)
        bench.driver.ensure_place(port.place)
        with pytest.raises(NotFound, match="segment"):
            bench.driver.ensure_port(port)
        bench.remove(segment, port)

    def test_a_port_that_is_down_can_come_back(self, bench: NetworkBench) -> None:
        """X-4: quiet first; its address stays taken until the port is gone."""
        segment, port = bench.made()
        for _ in range(2):
            bench.driver.ensure_port_down(n.PortRef(id=port.id))
        assert bench.found()["port", port.id].broken == "it is down"
        seen = bench.look(bench.driver.ensure_port(port))
        assert seen is not None
        assert seen.up
        assert bench.found()["port", port.id].broken is None
        bench.remove(segment, port)

    def test_one_place_can_be_on_several_segments(self, bench: NetworkBench) -> None:
        """N-I4: a second subnet is a second port of the same server."""
        segment, port = bench.made()
        other = bench.segment()
        bench.driver.ensure_segment(other)
        second = bench.port(other, place=port.place, addresses=("10.1.0.5/24",))
        assert (
            bench.driver.ensure_port(second).interface != bench.driver.ensure_port(port).interface
        )
        bench.driver.ensure_port_absent(n.PortRef(id=second.id))
        assert bench.found()["port", port.id].broken is None
        bench.remove(segment, port)
        bench.remove(other)

    def test_two_tenants_may_use_the_same_addresses(self, bench: NetworkBench) -> None:
        """N-S1."""
        first, second = bench.made(mac="02:00:00:00:00:05"), bench.made(mac="02:00:00:00:00:05")
        found = bench.found()
        assert [found["port", port.id].broken for _, port in (first, second)] == [None, None]
        bench.remove(*first)
        assert bench.found()["port", second[1].id].broken is None
        bench.remove(*second)

    def test_the_mtu_is_what_the_segment_can_carry(self, bench: NetworkBench) -> None:
        """N-I2."""
        largest = bench.driver.capabilities().vxlan_mtu
        assert largest is not None
        with pytest.raises(Unsupported, match="MTU"):
            bench.driver.ensure_segment(bench.segment(mtu=largest + 1))
        segment = bench.segment(mtu=1400)
        assert bench.driver.ensure_segment(segment).mtu == 1400
        small = bench.port(segment, mtu=1300)
        seen = bench.look(bench.driver.ensure_port(small))
        assert seen is not None
        assert seen.mtus == {1300}
        for change in ({"mtu": 1401}, {"mtu": 1000, "addresses": ("fd00::5/64",)}):
            with pytest.raises(Unsupported, match="MTU"):
                bench.driver.ensure_port(_changed(small, id=new_id(), **change))
        bench.remove(segment, small)

    def test_the_mtu_of_a_segment_in_use_changes(self, bench: NetworkBench) -> None:
        segment, port = bench.made()
        smaller = n.SegmentSpec(id=segment.id, kind="vxlan", number=segment.number, mtu=1300)
        assert bench.driver.ensure_segment(smaller).mtu == 1300
        seen = bench.look(bench.driver.ensure_port(port))
        assert seen is not None
        assert seen.mtus == {1300}
        bench.remove(segment, port)

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "geneve"},
            {"number": None},
            {"number": 0},
            {"number": 1 << 24},
            {"physical_network": "physnet1"},
            {"id": "has space"},
            {"id": LONGEST + "x"},
            {"kind": "vlan", "physical_network": "no-such-network"},
            {"kind": "vlan", "number": 4095, "physical_network": "trunk"},
            {"kind": "flat", "physical_network": "flat"},  # with a number
            {"kind": "flat", "number": None},
        ],
        ids=str,
    )
    def test_segments_that_cannot_be(self, bench: NetworkBench, change: dict[str, Any]) -> None:
        before = bench.found()
        values: dict[str, Any] = {"id": new_id(), "kind": "vxlan", "number": 1001}
        with pytest.raises(Unsupported):
            bench.driver.ensure_segment(n.SegmentSpec(**(values | change)))
        assert bench.found() == before

    @pytest.mark.parametrize(
        "change",
        [
            {"addresses": ()},
            {"addresses": ("10.0.0.5",)},
            {"addresses": ("10.0.0.0/24",)},
            {"addresses": ("10.0.0.255/24",)},
            {"addresses": ("224.0.0.1/24",)},
            {"addresses": ("127.0.0.1/8",)},
            {"addresses": ("fe80::1/64",)},
            {"addresses": ("10.0.0.5/24; drop",)},
            {"gateway": "10.0.1.1"},
            {"gateway": "10.0.0.5"},
            {"gateway": "fd00::1"},
            {"mac": "01:00:5e:00:00:01"},
            {"mac": "02-00-00-00-00-01"},
            {"place": w.Place(id="a", netns="host")},
            {"place": w.Place(id="a/b", netns=place_netns("a/b"))},
            {"id": 'x"; drop'},
        ],
        ids=str,
    )
    def test_ports_that_cannot_be(self, bench: NetworkBench, change: dict[str, Any]) -> None:
        segment = bench.segment()
        bench.driver.ensure_segment(segment)
        place = bench.place()
        before = bench.found()
        with pytest.raises(Unsupported):
            bench.driver.ensure_port(bench.port(segment, **({"place": place} | change)))
        assert bench.found() == before
        bench.driver.ensure_place_absent(place)
        bench.remove(segment)

    def test_a_place_has_its_own_name(self, bench: NetworkBench) -> None:
        """No recipe can make the driver touch a namespace that is not a share server's."""
        for place in (w.Place(id="a", netns=None), w.Place(id="a", netns="b")):
            for call in (bench.driver.ensure_place, bench.driver.ensure_place_absent):
                with pytest.raises(Unsupported):
                    call(place)

    def test_many_at_once_and_listed_meanwhile(self, bench: NetworkBench) -> None:
        def cycle(_: int) -> None:
            segment, port = bench.made()
            bench.found()
            bench.remove(segment, port)

        before = bench.found()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(cycle, range(8)))
        assert bench.found() == before


def _changed(port: n.PortSpec, **changes: Any) -> n.PortSpec:
    values = {name: getattr(port, name) for name in port.__struct_fields__}
    return n.PortSpec(**(values | changes))
