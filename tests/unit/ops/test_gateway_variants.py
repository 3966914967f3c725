"""Two kinds of gateways in front of filers: a share type chooses, and each kind has its own way
with addresses and share servers; in memory, on both databases (G-M2, X-1)."""

import pytest

from roadstead.drivers.network.memory import MemoryNetwork
from roadstead.ops.report import report
from roadstead.roads.gateway.road import Gateway
from roadstead.roads.networked import Networked
from roadstead.service import share_networks, subnets
from roadstead.service.roads import explain_share
from roadstead.store import flows as store
from roadstead.store import share_servers, share_types
from roadstead.store.scope import everyone
from tests.factories import HOST, make_backend, make_caller, make_world
from tests.unit.ops.network_world import POOLS, STORAGE, NetworkWorld


def gateway_backend(kind, networked):
    """As the agent makes it from a configuration."""
    limits = {"max_shares_per_share_server": 1 if kind == "proxy" else -1}
    road = Gateway(storage=STORAGE, networked=networked)
    return make_backend(f"nas-{kind}", road=road, gateway=kind, server_limits=limits)


@pytest.fixture
def nw(database_url):
    network = MemoryNetwork(MemoryNetwork.Options())
    networked = Networked(network)
    backends = [gateway_backend(kind, networked) for kind in ("l4", "proxy")]
    world = make_world(database_url, backends=backends, networks=POOLS)
    made = NetworkWorld(world=world, network=network, networked=networked, runner=world.runner)
    with world.db.write() as tx:
        for kind in ("l4", "proxy", "magic"):
            specs = {"driver_handles_share_servers": "True", "gateway": kind}
            share_types.ensure_default(tx, kind, specs)
    report(world.db, HOST, backends, network.capabilities())
    made.runner = made.renewed_runner()
    yield made
    world.close()


def server_of(nw, share):
    with nw.world.db.read() as tx:
        found = share_servers.find(tx, everyone(), share.share_server_id)
    assert found is not None
    return found


def passing(nw, share):
    with nw.world.db.read() as tx:
        return store.of_server(tx, share.share_server_id)


@pytest.mark.parametrize("kind", ["l4", "proxy"])
def test_the_share_type_chooses_the_kind(nw, kind):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller), share_type=kind)
    assert share.status == "available"
    assert share.host == f"{HOST}@nas-{kind}#memory"
    assert server_of(nw, share).details == {"kind": "gateway", "variant": kind}


def test_a_kind_that_nobody_offers_is_refused(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network, share_type="magic")
    assert (share.status, share.host) == ("error", "")
    assert nw.servers() == []


def test_a_proxy_has_one_share_and_its_own_addresses(nw):
    """The share's clients mount the gateway's own address; none is lent to the share."""
    caller = make_caller()
    network = nw.add_network(caller)
    one, two = (nw.add_share(caller, network, share_type="proxy") for _ in range(2))
    assert one.share_server_id != two.share_server_id
    assert nw.paths(caller, one) != nw.paths(caller, two)
    assert passing(nw, one) == passing(nw, two) == []
    assert nw.look() == 0
    nw.delete_share(caller, one)
    nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.settle()
    assert len(nw.paths(caller, two)) == 2
    assert passing(nw, two) == []
    nw.delete_share(caller, two)
    found = share_networks.get(nw.world.service, caller, network.id).subnets
    for subnet in found[1:]:
        subnets.delete(nw.world.service, caller, network.id, subnet.id)
    share_networks.delete(nw.world.service, caller, network.id)
    nw.settle()
    assert nw.unowned() == []
    assert nw.servers() == []


def test_the_way_through_a_proxy_is_told(nw):
    """G-M3."""
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller), share_type="proxy")
    _, told, _ = explain_share(nw.world.service, caller, share.id, None)
    hops = {hop.name: hop.what for hop in told.hops}
    assert "answers, and asks the filer" in hops["gateway"]
    assert "this share's gateway, never a client" in hops["storage"]


def test_many_shares_have_one_l4_gateway(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    one, two = (nw.add_share(caller, network, share_type="l4") for _ in range(2))
    assert one.share_server_id == two.share_server_id
    assert {p.instance_id for p in passing(nw, one)} == {one.instance_id, two.instance_id}
