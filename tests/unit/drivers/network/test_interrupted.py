"""A driver killed at any change it makes leaves nothing that a second call does not put right."""

import itertools
from dataclasses import dataclass

import pytest

from roadstead.drivers.network.segments.driver import SegmentsNetwork
from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.ids import new_id, place_netns
from tests.lab.links import address_texts
from tests.unit.drivers.network.killing import killed_after
from tests.unit.drivers.network.tenants import Wiring
from tests.unit.drivers.network.traces import Traces

pytestmark = [pytest.mark.crash, pytest.mark.real, pytest.mark.slow]
# Fewer changes than these would mean that the gate they pass has a hole.
LEAST = {("vxlan", "auto"): 18, ("vlan", "ovs"): 9, ("vlan", "kernel"): 6}


@dataclass
class Case:
    """A share server's leg on the first host, and the way there and back."""

    driver: SegmentsNetwork
    segment: n.SegmentSpec
    port: n.PortSpec

    def make(self) -> n.Port | None:
        self.driver.ensure_segment(self.segment)
        if self.segment.kind == "vlan":  # from here on, one kind is like another
            return None
        self.driver.ensure_place(self.port.place)
        return self.driver.ensure_port(self.port)

    def unmake(self) -> None:
        self.driver.ensure_port_down(n.PortRef(id=self.port.id))
        self.driver.ensure_port_absent(n.PortRef(id=self.port.id))
        self.driver.ensure_place_absent(self.port.place)
        self.driver.ensure_segment_absent(n.SegmentRef(id=self.segment.id))


@pytest.fixture
def case(wiring: Wiring) -> Case:
    physical = "" if wiring.kind == "vxlan" else "trunk"
    segment = n.SegmentSpec(
        id=new_id(), kind=wiring.kind, number=77, physical_network=physical, mtu=1400
    )
    place_id = new_id()
    port = n.PortSpec(
        id=new_id(),
        segment_id=segment.id,
        place=w.Place(id=place_id, netns=place_netns(place_id)),
        addresses=("10.0.0.5/24", "fd00::5/64"),
        gateway="10.0.0.1",
    )
    return Case(wiring.drivers[0], segment, port)


def test_killed_while_making(case: Case, wiring: Wiring) -> None:
    """N-I6: undone without a trace, and, killed there again, done by a second call."""
    traces = Traces(wiring.hosts, 0)
    before = traces.all()
    for step in itertools.count(0):
        dead = killed_after(step, case.make)
        # All that is there can be told from its mark.
        assert {mark.id for mark in case.driver.inventory()} <= _ids(case)
        case.unmake()
        assert traces.all() == before, f"killed after change {step}, undone"
        if not dead:
            break
        killed_after(step, case.make)
        _assert_whole(case)
        case.unmake()
        assert traces.all() == before, f"killed after change {step}, done, undone"
    assert step >= LEAST[wiring.kind, wiring.means]


def test_killed_while_unmaking(case: Case, wiring: Wiring) -> None:
    """N-I5, X-4: the second call finds the rest."""
    traces = Traces(wiring.hosts, 0)
    before = traces.all()
    for step in itertools.count(0):
        case.make()
        dead = killed_after(step, case.unmake)
        left = {mark.id for mark in case.driver.inventory()}
        assert left <= _ids(case)
        if dead:
            assert left or traces.all() == before, f"killed after change {step}: lost from sight"
        case.unmake()
        assert traces.all() == before, f"killed after change {step}"
        if not dead:
            break
    assert step >= 4


def _ids(case: Case) -> set[str]:
    if case.segment.kind == "vlan":
        return {case.segment.id}
    return {case.segment.id, case.port.id, case.port.place.id}


def _assert_whole(case: Case) -> None:
    port = case.make()
    marks = {mark.id: mark.broken for mark in case.driver.inventory()}
    assert marks == dict.fromkeys(_ids(case))
    if port is None:
        return
    netns = place_netns(case.port.place.id)
    assert address_texts(netns, port.interface) == set(case.port.addresses)
