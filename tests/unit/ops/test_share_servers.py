"""Share servers: made, shared, refused, put on more subnets, in memory, on both databases."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadstead.model.errors import BadRequest, Conflict, DriverError, NotFound, Transient
from roadstead.model.queries import MessageFilter, Page
from roadstead.model.world import Place
from roadstead.service import access, share_networks, share_servers, shares, subnets
from roadstead.service.access import NewRule
from roadstead.store import messages, operations
from tests.factories import HOST, make_caller
from tests.unit.ops.network_world import make_network_world

NOTHING = {"segment": [], "place": [], "port": []}


def _messages(nw, caller):
    with nw.world.db.read() as tx:
        return messages.find_all(tx, caller.own, MessageFilter(), Page())


def test_the_first_share_makes_a_server_on_the_tenants_segment(nw):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller, "10.0.0.0/24,10.0.0.1"))
    assert share.status == "available"
    (server,) = nw.servers()
    assert (server.status, server.id) == ("active", share.share_server_id)
    assert nw.paths(caller, share) == [f"10.0.0.2:/share-{share.instance_id}"]
    assert nw.exported_at(server) == [share.instance_id]
    marks = nw.marks()
    assert (marks["segment"], marks["place"]) == (["vxlan-1000"], [server.id])
    (port_id,) = marks["port"]
    port = nw.network.find_port(port_id)
    assert (port.addresses, port.mtu) == (("10.0.0.2/24",), 1450)
    assert nw.look() == 0
    assert nw.unowned() == []


def test_the_second_share_finds_it(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    first, second = (nw.add_share(caller, network) for _ in range(2))
    (server,) = nw.servers()
    assert nw.exported_at(server) == sorted((first.instance_id, second.instance_id))
    assert len(nw.marks()["port"]) == 1


def test_two_tenants_have_the_same_addresses(nw):
    """N-I3: each on a segment of its own."""
    one, two = make_caller(), make_caller()
    first, second = (nw.add_share(c, nw.add_network(c, "10.0.0.0/24")) for c in (one, two))
    hosts = {nw.paths(c, s)[0].partition(":")[0] for c, s in ((one, first), (two, second))}
    assert hosts == {"10.0.0.1"}
    assert nw.marks()["segment"] == ["vxlan-1000", "vxlan-1001"]
    assert [len(nw.exported_at(server)) for server in nw.servers()] == [1, 1]
    with pytest.raises(NotFound):
        shares.get(nw.world.service, one, second.id)


def test_a_share_waits_for_its_server_however_long_that_takes(nw, monkeypatch):
    """Whoever makes the server gives up in time; the share then ends as the server does."""
    caller = make_caller()
    nw.network.fail["ensure_place"] = Transient("not yet")
    share = nw.submit_share(caller, nw.add_network(caller))
    monkeypatch.setattr(nw.runner, "_give_up_after", datetime.timedelta(0))
    _try_again(nw, "share.create")
    assert shares.get(nw.world.service, caller, share.id).status == "creating"
    monkeypatch.undo()
    nw.network.fail.clear()
    nw.settle()
    assert shares.get(nw.world.service, caller, share.id).status == "available"


def test_a_share_does_not_wait_for_a_server_that_nobody_makes(nw, monkeypatch):
    """Its status was set by hand."""
    admin = make_caller(admin=True)
    network = nw.add_network(admin)
    nw.delete_share(admin, nw.add_share(admin, network))
    nw.world.engine.stop()
    share = nw.submit_share(admin, network)
    share_servers.reset_status(nw.world.service, admin, nw.servers()[0].id, "creating")
    monkeypatch.setattr(nw.runner, "_give_up_after", datetime.timedelta(0))
    nw.run_pending(1)
    assert shares.get(nw.world.service, admin, share.id).status == "error"


def _try_again(nw, verb):
    """The operation that waits is due now."""
    with nw.world.db.write() as tx:
        (operation,) = (o for o in operations.live_on(tx, HOST) if o.verb == verb)
        operations.update(tx, operation.id, not_before=None)
    nw.runner.run(operation.id)


def test_many_at_once_make_one_server(nw):
    """N-M4: answered at once, run by several threads in the order in which they were submitted."""
    caller = make_caller()
    network = nw.add_network(caller)
    nw.world.engine.stop()
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: nw.submit_share(caller, network), range(50)))
    assert len(nw.servers()) == 1
    nw.run_pending(8)
    now = [shares.get(nw.world.service, caller, share.id) for share in made]
    assert {share.status for share in now} == {"available"}
    (server,) = nw.servers()
    assert len(nw.exported_at(server)) == 50
    assert {kind: len(ids) for kind, ids in nw.marks().items()} == dict.fromkeys(NOTHING, 1)


def test_a_server_that_cannot_be_made_fails_its_shares_with_the_reason(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    nw.network.fail["ensure_port"] = DriverError("no port today")
    share = nw.add_share(caller, network)
    (server,) = nw.servers()
    assert (share.status, server.status) == ("error", "error")
    assert server.details["error"] == "no port today"
    (message,) = _messages(nw, caller)
    assert (message.resource_id, message.detail_id) == (share.id, "004")
    assert server.id in message.user_message
    assert nw.marks() == NOTHING
    assert nw.places_served() == []
    nw.network.fail.clear()
    other = nw.add_share(caller, network)
    assert other.status == "available"
    assert other.share_server_id != server.id
    nw.delete_share(caller, share)
    nw.look(unused=datetime.timedelta(0))
    assert [s.id for s in nw.servers()] == [other.share_server_id]


def test_an_exhausted_subnet_is_said(nw):
    caller = make_caller()
    network = nw.add_network(caller, "10.0.0.0/30,10.0.0.1,10.0.0.1-10.0.0.1")
    share = nw.add_share(caller, network)
    assert share.status == "error"
    assert "no free address" in nw.servers()[0].details["error"]
    assert nw.unowned() == []


@pytest.mark.parametrize("limit", ["max_shares_per_share_server", "max_share_server_size"])
def test_a_full_server_gets_a_neighbour(database_url, limit):
    """Limits of the backend; with a number of servers, too, the next share finds no pool."""
    nw = make_network_world(database_url, gateway=False, **{"max_share_servers": 2, limit: 1})
    caller = make_caller()
    network = nw.add_network(caller)
    first, second, third = (nw.add_share(caller, network) for _ in range(3))
    assert [s.status for s in (first, second, third)] == ["available", "available", "error"]
    assert first.share_server_id != second.share_server_id
    hosts = [nw.paths(caller, share)[0].partition(":")[0] for share in (first, second)]
    assert hosts == ["10.0.0.1", "10.0.0.2"]
    assert nw.marks()["segment"] == ["vxlan-1000"]
    (message,) = _messages(nw, caller)
    assert (message.resource_id, message.detail_id) == (third.id, "004")
    assert nw.look() == 0
    nw.world.close()


def test_rules_are_in_force_at_the_share_server(nw):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller))
    rule = access.allow(
        nw.world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.9")
    )
    assert access.get(nw.world.service, caller, rule.id).state == "active"
    (mark,) = nw.world.export.inventory(Place(id=share.share_server_id))
    assert mark.facts["clients"] == {"10.0.0.9/32": "rw"}
    assert nw.look() == 0


def test_a_second_subnet_gives_the_server_a_port_and_the_shares_a_path(nw):
    """N-I4"""
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.settle()
    (server,) = nw.servers()
    assert (server.status, len(server.subnet_ids)) == ("active", 2)
    network = share_networks.get(nw.world.service, caller, network.id)
    assert network.status == "active"
    assert [p.split(":")[0] for p in nw.paths(caller, share)] == ["10.0.0.1", "10.1.0.1"]
    assert nw.marks()["segment"] == ["vxlan-1000", "vxlan-1001"]
    assert nw.add_share(caller, network).share_server_id == server.id
    assert nw.look() == 0
    assert nw.unowned() == []


def test_a_share_that_could_not_be_deleted_keeps_no_subnet_from_its_neighbours(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    kept, stuck = (nw.add_share(caller, network) for _ in range(2))
    admin = make_caller(admin=True)
    shares.reset_status(nw.world.service, admin, stuck.id, "error_deleting")
    nw.world.pool.ensure_share_absent(stuck.instance_id)
    nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.settle()
    assert share_networks.get(nw.world.service, caller, network.id).status == "active"
    assert [path.partition(":")[0] for path in nw.paths(caller, kept)] == ["10.0.0.1", "10.1.0.1"]
    assert [operation for operation in nw.unowned() if operation.startswith("operation")] == []


def test_a_subnet_that_was_not_checked_first_is_refused(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    nw.add_share(caller, network)
    new = subnets.NewSubnet(neutron_net_id="tenants/2", neutron_subnet_id="10.1.0.0/24")
    with pytest.raises(BadRequest, match="ask first"):
        subnets.create(nw.world.service, caller, network.id, new, one_per_zone=False)


def test_a_subnet_that_cannot_be_had_leaves_the_old_one_working(nw):
    """Nothing waits for a human: the network says `error`, and what was begun is undone."""
    caller = make_caller(admin=True)
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    before = nw.marks()
    nw.network.fail["ensure_port"] = DriverError("no second leg")
    nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.settle()
    (server,) = nw.servers()
    assert (server.status, server.details["error"]) == ("error", "no second leg")
    assert share_networks.get(nw.world.service, caller, network.id).status == "error"
    nw.network.fail.clear()
    assert nw.marks() == before
    assert [p.split(":")[0] for p in nw.paths(caller, share)] == ["10.0.0.1"]
    assert nw.exported_at(server) == [share.instance_id]
    # Its share is looked after all the same.
    nw.lose_port(before["port"][0])
    assert nw.look() == 1
    assert nw.marks() == before
    assert nw.look() == 0
    subnet = share_networks.get(nw.world.service, caller, network.id).subnets[1]
    subnets.delete(nw.world.service, caller, network.id, subnet.id)
    assert nw.numbers() == [1000]
    assert nw.unowned() == []


def test_servers_of_others_are_not_taken_over_nor_given_away(nw):
    """N-I9: both are refused, and nothing stays behind that cannot be removed."""
    admin = make_caller(admin=True)
    network = nw.add_network(admin)
    wanted = share_servers.Managed(
        host="node1@local", share_network_id=network.id, identifier="theirs"
    )
    server = share_servers.manage(nw.world.service, admin, wanted)
    assert [s.status for s in nw.servers()] == ["manage_error"]
    share_servers.unmanage(nw.world.service, admin, server.id, force=False)
    assert nw.servers() == []
    nw.delete_share(admin, nw.add_share(admin, network))
    (ours,) = nw.servers()
    share_servers.unmanage(nw.world.service, admin, ours.id, force=False)
    assert [s.status for s in nw.servers()] == ["unmanage_error"]
    assert nw.look() == 0
    share_servers.reset_status(nw.world.service, admin, ours.id, "active")
    nw.look(unused=datetime.timedelta(0))
    assert (nw.servers(), nw.marks()) == ([], NOTHING)


def test_a_server_is_deleted_by_hand_only_without_shares(nw):
    """And one that cannot be removed says so and is tried again."""
    admin = make_caller(admin=True)
    share = nw.add_share(admin, nw.add_network(admin))
    with pytest.raises(Conflict, match="holds shares"):
        share_servers.delete(nw.world.service, admin, share.share_server_id)
    nw.delete_share(admin, share)
    nw.network.fail["ensure_place_absent"] = DriverError("busy")
    share_servers.delete(nw.world.service, admin, share.share_server_id)
    nw.settle()
    assert [s.status for s in nw.servers()] == ["error"]
    nw.network.fail.clear()
    nw.look(unused=datetime.timedelta(0))
    assert (nw.servers(), nw.marks()) == ([], NOTHING)
