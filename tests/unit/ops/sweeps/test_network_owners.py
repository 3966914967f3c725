"""Ports, namespaces and segments that a sweep does not know go only when no host's row names them,
and not at once."""

import datetime

from roadstead.model.ids import new_id, place_netns
from roadstead.model.networks import PortSpec, SegmentSpec
from roadstead.model.pairs import PairSpec
from roadstead.model.world import Place
from roadstead.ops.sweeps.networks import NetworkSweep
from roadstead.ops.sweeps.standby_gateways import StandbyGatewaySweep
from roadstead.roads.networked import Networked
from roadstead.store import drift
from tests.factories import make_caller
from tests.unit.ops.memory_pair import MemoryFailover, MemoryMirror
from tests.unit.ops.network_world import KEPT

ELECTION = PairSpec(interface="s", own="172.30.0.10", peer="172.30.0.11", first=False, addresses={})
NOTHING = {"segment": [], "place": [], "port": []}


def _sweep(nw, host: str, grace: datetime.timedelta = datetime.timedelta(0)) -> NetworkSweep:
    """Of an agent that was just started under that name, with the same devices."""
    world = nw.world
    return NetworkSweep(
        world.db, host, world.backends, nw.networked, world.engine.adopt, unused=KEPT, grace=grace
    )


def _told(nw):
    with nw.world.db.read() as tx:
        return {(d["kind"], d["resource_type"]) for d in drift.find_all(tx)}


def _add_strangers(nw) -> Place:
    place_id = new_id()
    place = Place(id=place_id, netns=place_netns(place_id), addresses=("10.9.0.1",))
    nw.network.ensure_segment(SegmentSpec(id="vxlan-7", kind="vxlan", number=7))
    nw.network.ensure_place(place)
    nw.network.ensure_port(
        PortSpec(id=new_id(), segment_id="vxlan-7", place=place, addresses=("10.9.0.1/24",))
    )
    return place


def test_a_share_server_of_another_name_is_left_alone(nw):
    """Its port, its namespace, and the segment that it stands on."""
    share = nw.add_share(caller := make_caller(), nw.add_network(caller))
    before = nw.marks()
    sweep = _sweep(nw, "b")
    for _ in range(2):
        assert sweep.run() == 0
    assert nw.marks() == before
    assert nw.exported_at(nw.servers()[0]) == [share.instance_id]
    assert _told(nw) == {("misplaced", "port"), ("misplaced", "place")}


def test_nothing_unknown_goes_at_once(nw):
    _add_strangers(nw)
    before = nw.marks()
    assert _sweep(nw, "node1", datetime.timedelta(seconds=60)).run() == 0
    assert nw.marks() == before
    assert _sweep(nw, "node1").run() == 3
    assert nw.marks() == NOTHING


def test_a_standby_of_another_database_does_not_go_at_once(nw):
    """One whose share server the database has, or had a moment ago, does."""
    failover, mirror = MemoryFailover(nw.network, up=False), MemoryMirror()
    there = Networked(nw.network, failover)
    place = _add_strangers(nw)
    failover.parts[place.id] = ELECTION
    before = nw.marks()
    minute = datetime.timedelta(seconds=60)
    StandbyGatewaySweep(nw.world.db, "node2", there, grace=minute).run()
    assert (nw.marks(), list(failover.parts)) == (before, [place.id])
    StandbyGatewaySweep(nw.world.db, "node2", there, grace=datetime.timedelta(0)).run()
    assert (nw.marks()["port"], list(failover.parts)) == ([], [])
    assert mirror.passed == {}


def test_a_gateway_of_another_name_is_no_leftover_of_a_standby(nw):
    """Its namespace is in the same directory of elections, as with a changed name."""
    nw.add_share(caller := make_caller(), nw.add_network(caller))
    (server,) = nw.servers()
    failover = MemoryFailover(nw.network, up=True)
    failover.parts[server.id] = ELECTION
    before = nw.marks()
    StandbyGatewaySweep(
        nw.world.db, "b", Networked(nw.network, failover), grace=datetime.timedelta(0)
    ).run()
    assert (nw.marks(), list(failover.parts)) == (before, [server.id])
    assert _told(nw) == {("misplaced", "pair")}
