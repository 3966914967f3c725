"""Our network drivers do what every network driver must do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.networks import NetworkBench, NetworkConformance, Seen
from roadstead.drivers.network.memory import MemoryNetwork
from roadstead.drivers.network.segments.driver import SegmentsNetwork
from roadstead.model import networks as n
from roadstead.model import world as w
from tests.lab.hosts import TwoHosts
from tests.lab.links import address_texts, find_link
from tests.lab.netns import remove_netns
from tests.lab.process import spawn, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PHYSICAL = {"vlan": "trunk", "flat": "flat"}


class TestMemory(NetworkConformance):
    @pytest.fixture
    def bench(self) -> NetworkBench:
        driver = MemoryNetwork(MemoryNetwork.Options(physical_networks={"trunk": "", "flat": ""}))

        def look(port: n.Port) -> Seen | None:
            made = driver.find_port(port.id)
            if made is None:
                return None
            up = all(m.broken is None for m in driver.inventory() if m.id == port.id)
            return Seen(made.mac, set(made.addresses), {made.mtu}, up)

        def busy(place: w.Place) -> Callable[[], None]:
            driver.busy.add(place.id)
            return lambda: driver.busy.discard(place.id)

        return NetworkBench(driver, look, busy, PHYSICAL)

    def test_it_fails_where_a_test_wants_it(self, bench: NetworkBench) -> None:
        driver = bench.driver
        assert isinstance(driver, MemoryNetwork)
        driver.fail["ensure_port"] = OSError("no")
        with pytest.raises(OSError, match="no"):
            bench.made()
        del driver.fail["ensure_port"]
        bench.made()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    with TwoHosts(tmp_path_factory.mktemp("plain")) as lab:
        yield lab


@pytest.fixture(scope="module")
def switched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    with TwoHosts(tmp_path_factory.mktemp("switched"), ovs=True, vlan="ovs") as lab:
        yield lab


class RealConformance(NetworkConformance):
    """On the first of two hosts."""

    lab = "plain"

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest) -> Iterator[NetworkBench]:
        lab: TwoHosts = request.getfixturevalue(self.lab)
        driver, host = lab.driver(0), lab.hosts[0].netns

        def look(port: n.Port) -> Seen | None:
            outer = find_link(host, port.device)
            if outer is None:
                return None
            netns = f"roadstead-{port.place_id}"
            inner = find_link(netns, port.interface)
            assert inner is not None
            up = "UP" in outer["flags"] and "UP" in inner["flags"]
            mtus = {outer["mtu"], inner["mtu"]}
            return Seen(inner["address"], address_texts(netns, port.interface), mtus, up)

        yield NetworkBench(driver, look, occupy, PHYSICAL)
        clean(driver)


@pytest.mark.real
class TestSegments(RealConformance):
    """With what the kernel has of its own."""


@pytest.mark.real
class TestSegmentsWithOpenVSwitch(RealConformance):
    """VLANs by Open vSwitch, even where the kernel could."""

    lab = "switched"


def occupy(place: w.Place) -> Callable[[], None]:
    """A process in the place."""
    process = spawn(["sleep", "600"], netns=place.netns)
    # It is inside once setpriv has become nsenter, and nsenter the sleep.
    while Path(f"/proc/{process.pid}/comm").read_text().strip() != "sleep":
        assert process.poll() is None
    return lambda: stop(process)


def clean(driver: SegmentsNetwork) -> None:
    """What a failed test left is gone."""
    order = ("port", "place", "segment")
    for mark in sorted(driver.inventory(), key=lambda mark: order.index(mark.kind)):
        if mark.kind == "port":
            driver.ensure_port_absent(n.PortRef(id=mark.id))
        elif mark.kind == "place":
            remove_netns(str(mark.facts["netns"]))
        else:
            driver.ensure_segment_absent(n.SegmentRef(id=mark.id))
