"""Share servers that nobody needs any more, or that lost a part: the sweep sees to them, in memory,
on both databases."""

import datetime

import pytest

from roadstead.model.errors import DriverError, Transient
from roadstead.model.ids import place_netns
from roadstead.model.networks import PortRef, PortSpec, SegmentSpec
from roadstead.model.world import Place
from roadstead.service import share_networks
from roadstead.store import drift
from tests.factories import make_caller
from tests.unit.ops.network_world import KEPT

NOTHING = {"segment": [], "place": [], "port": []}


def _drift(nw):
    with nw.world.db.read() as tx:
        return sorted((d["kind"], d["resource_id"]) for d in drift.find_all(tx))


def test_an_unused_server_goes_after_the_time_with_all_it_had(nw):
    """N-I5: its addresses and the segment's number are free again."""
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    (server,) = nw.servers()
    nw.age(server, KEPT * 2)
    nw.look()
    assert nw.servers() != []  # a share is on it, however long
    nw.delete_share(caller, share)
    nw.look()
    assert [s.status for s in nw.servers()] == ["active"]  # since a moment
    nw.age(server, KEPT)
    nw.look()
    assert (nw.servers(), nw.marks(), nw.places_served()) == ([], NOTHING, [])
    assert nw.numbers() == [1000]  # the network still names it
    share_networks.delete(nw.world.service, caller, network.id)
    assert nw.numbers() == []
    assert nw.unowned() == []


def test_a_kept_server_takes_the_next_share(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    nw.delete_share(caller, share)
    again = nw.add_share(caller, network)
    assert again.share_server_id == share.share_server_id
    nw.look(unused=datetime.timedelta(0))
    assert [s.id for s in nw.servers()] == [again.share_server_id]


def test_deleting_the_network_takes_the_unused_server_along(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    nw.delete_share(caller, nw.add_share(caller, network))
    share_networks.delete(nw.world.service, caller, network.id)
    nw.settle()
    assert (nw.servers(), nw.marks(), nw.numbers()) == ([], NOTHING, [])


def test_two_servers_of_one_wire_and_the_first_that_goes(nw):
    """The wire stays while another server of this host is on it."""
    caller = make_caller()
    one, two = nw.add_network(caller), nw.add_network(caller)
    first, second = nw.add_share(caller, one), nw.add_share(caller, two)
    assert nw.marks()["segment"] == ["vxlan-1000"]
    assert [nw.paths(caller, s)[0].split(":")[0] for s in (first, second)] == [
        "10.0.0.1", "10.0.0.2",
    ]  # fmt: skip
    nw.delete_share(caller, first)
    nw.look(unused=datetime.timedelta(0))
    assert [s.id for s in nw.servers()] == [second.share_server_id]
    assert nw.marks()["segment"] == ["vxlan-1000"]
    nw.delete_share(caller, second)
    nw.look(unused=datetime.timedelta(0))
    assert nw.marks() == NOTHING


@pytest.mark.parametrize("lost", ["port", "place", "segment"])
def test_what_a_reboot_took_is_made_again(nw, lost):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller))
    before = nw.marks()
    if lost != "segment":
        nw.lose_port(before["port"][0])
    if lost == "place":
        nw.network._places.clear()
        nw.world.export.ensure_server_absent(Place(id=share.share_server_id))
    if lost == "segment":
        nw.network._segments.clear()
    assert nw.look() > 0
    assert nw.marks() == before
    assert nw.exported_at(nw.servers()[0]) == [share.instance_id]
    assert ("missing", share.share_server_id) in _drift(nw)
    assert nw.look() == 0


def test_a_port_that_is_down_comes_up_again(nw):
    caller = make_caller()
    nw.add_share(caller, nw.add_network(caller))
    (port_id,) = nw.marks()["port"]
    nw.network.ensure_port_down(PortRef(id=port_id))
    assert nw.look() == 1
    assert [m.broken for m in nw.network.inventory()] == [None] * 3


def test_leftovers_of_nobody_are_removed_and_told(nw):
    place = Place(id="stranger", netns=place_netns("stranger"), addresses=("10.9.0.1",))
    nw.network.ensure_segment(SegmentSpec(id="vxlan-7", kind="vxlan", number=7))
    nw.network.ensure_place(place)
    nw.network.ensure_port(
        PortSpec(id="p", segment_id="vxlan-7", place=place, addresses=("10.9.0.1/24",))
    )
    nw.world.export.ensure_server(place)
    assert nw.look() == 3
    assert (nw.marks(), nw.places_served()) == (NOTHING, [])
    assert _drift(nw) == [("leaked", "p"), ("leaked", "stranger"), ("leaked", "vxlan-7")]
    assert nw.look() == 0


def test_what_an_undo_could_not_take_back_goes_later(nw):
    """N-I6: share and server stay in error, and nothing else of them stays."""
    caller = make_caller()
    other = nw.add_share(caller, nw.add_network(caller))
    before = nw.marks()
    nw.world.export.fail["ensure_server"] = DriverError("no")
    nw.network.fail["ensure_port_absent"] = Transient("not now")
    nw.add_share(caller, nw.add_network(caller, cidr="10.8.0.0/24"))
    nw.world.export.fail.clear()
    nw.network.fail.clear()
    failed, _ = sorted(nw.servers(), key=lambda s: s.status, reverse=True)
    assert failed.status == "error"
    assert len(nw.marks()["place"]) == 2  # the undo was given up
    assert nw.look() == 2
    assert nw.marks() == before
    assert {s.status for s in nw.servers()} == {"active", "error"}
    assert nw.exported_at(next(s for s in nw.servers() if s.id == other.share_server_id)) != []
    assert nw.look() == 0


def test_one_server_that_cannot_be_mended_keeps_no_other_from_it(nw):
    one, two = make_caller(), make_caller()
    for caller in (one, two):
        nw.add_share(caller, nw.add_network(caller))
    before = nw.marks()
    for port_id in before["port"]:
        nw.lose_port(port_id)
    real, bad = nw.network.ensure_port, before["port"][0]

    def refuse_one(spec):
        if spec.id == bad:
            raise DriverError("not this one")
        return real(spec)

    nw.network.ensure_port = refuse_one
    assert nw.look() == 1
    assert nw.marks()["port"] == [before["port"][1]]
    del nw.network.ensure_port
    assert nw.look() == 1
    assert nw.marks() == before
