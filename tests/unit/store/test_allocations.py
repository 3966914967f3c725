"""Addresses of share servers, and numbers of segments: given out once, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from roadstead.model.errors import BadRequest, DriverError
from roadstead.model.ids import new_id
from roadstead.model.network_pools import NetworkPool, parse_addressing
from roadstead.model.share_networks import ShareNetwork, Subnet
from roadstead.model.states import ShareServerStatus
from roadstead.store import allocations, segment_numbers, share_networks, share_servers, subnets
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone


def _subnet(network_id="n", text="10.0.0.0/24", number=1, **fields):
    a = parse_addressing(text)
    return Subnet(
        id=new_id(), share_network_id=network_id, network_type="vxlan", segmentation_id=number,
        cidr=a.cidr, ip_version=a.ip_version, gateway=a.gateway, first_address=a.first_address,
        last_address=a.last_address, created_at=utcnow(), **fields,
    )  # fmt: skip


def _network(world, *texts, project="p", number=1, net="pool"):
    network_id = new_id()
    found = tuple(
        _subnet(network_id, text, number, neutron_net_id=net) for text in texts or ["10.0.0.0/24"]
    )
    network = ShareNetwork(
        id=network_id, project_id=project, user_id="u", subnets=found, created_at=utcnow()
    )
    with world.db.write() as tx:
        share_networks.insert(tx, network)
    return network


def _server(world, network, host="node1@local", **more):
    wanted = share_servers.Wanted(
        host=host, subnet_ids=tuple(s.id for s in network.subnets), **more
    )
    with world.db.write() as tx:
        return share_servers.ensure_row(tx, network, wanted)


def _lease(world, server, subnet):
    with world.db.write() as tx:
        return allocations.ensure(tx, server.id, subnet)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("10.0.0.0/24", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.0/24,10.0.0.1", ["10.0.0.2", "10.0.0.3"]),
        ("10.0.0.0/24,10.0.0.1,10.0.0.200-10.0.0.201", ["10.0.0.200", "10.0.0.201"]),
        ("10.0.0.0/24,10.0.0.250-10.0.0.255", ["10.0.0.250", "10.0.0.251", "10.0.0.252",
                                                "10.0.0.253", "10.0.0.254"]),
        ("10.0.0.0/31", ["10.0.0.0", "10.0.0.1"]),
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]),
        ("fd00::/64,fd00::1", ["fd00::2", "fd00::3"]),
    ],
)  # fmt: skip
def test_candidates(text, first):
    """The lowest first; never the network, the broadcast address or the gateway."""
    found = allocations.candidates(_subnet(text=text))
    assert [next(found) for _ in first] == first


def test_the_lowest_free_until_none_is_left(world):
    network = _network(world, "10.0.0.0/29,10.0.0.1")
    (subnet,) = network.subnets
    servers = [_server(world, network, f"node{n}@b")[0] for n in range(6)]
    leases = [_lease(world, server, subnet) for server in servers[:5]]
    assert [lease.interface for lease in leases] == [f"10.0.0.{n}/29" for n in range(2, 7)]
    assert _lease(world, servers[0], subnet) == leases[0]  # asked again
    with pytest.raises(DriverError, match="no free address") as caught:
        _lease(world, servers[5], subnet)
    assert caught.value.detail_id == "033"
    with world.db.write() as tx:
        share_servers.delete(tx, servers[2])
    assert _lease(world, servers[5], subnet).address == leases[2].address


def test_two_subnets_on_one_wire_share_their_addresses(world):
    """The same wire named by two networks; another wire has the same addresses again."""
    one, two, other = _network(world), _network(world), _network(world, number=2)
    found = [
        _lease(world, _server(world, network)[0], network.subnets[0]).address
        for network in (one, two, other)
    ]
    assert found == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]


def test_a_subnet_without_a_segment_gives_none(world):
    network = _network(world)
    bare = Subnet(id="x", share_network_id=network.id, created_at=utcnow())
    server, _ = _server(world, network)
    with pytest.raises(DriverError) as caught:
        _lease(world, server, bare)
    assert caught.value.detail_id == "004"


def test_many_at_once_get_different_addresses(world):
    network = _network(world)
    servers = [_server(world, network, f"node{n}@b")[0] for n in range(40)]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda s: _lease(world, s, network.subnets[0]), servers))
    assert {lease.address for lease in found} == {f"10.0.0.{n}" for n in range(1, 41)}


def test_many_at_once_find_one_server(world):
    """N-M4, where the rows are made."""
    network = _network(world)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: _server(world, network), range(50)))
    assert len({server.id for server, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1


def test_other_purposes_get_other_servers(world):
    """One per (subnets, host, security services)."""
    network = _network(world)
    first, _ = _server(world, network)
    assert _server(world, network) == (first, False)
    assert _server(world, network, "node2@b")[0].id != first.id
    assert _server(world, network, security_service_ids=("x",))[0].id != first.id
    with world.db.write() as tx:
        share_servers.set_purpose(tx, first, first.subnet_ids, ["y"])
    assert _server(world, network, security_service_ids=("y",))[0].id == first.id
    assert _server(world, network)[1] is True


def test_a_server_is_not_removed_under_a_share(world):
    """`is_unused` and `ensure_row` exclude each other."""
    network = _network(world)
    server, _ = _server(world, network)
    with world.db.write() as tx:
        assert share_servers.is_unused(tx, server)
        share_servers.update(tx, server, status="deleting")
        assert share_servers.of_network(tx, network) == []
    other, made = _server(world, network)
    assert (made, other.id != server.id) == (True, True)


def test_segment_numbers(world):
    pool = NetworkPool(name="pool", kind="vxlan", first=5, last=6)

    def take(project, name="pool"):
        with world.db.write() as tx:
            return segment_numbers.take(tx, pool, project, name)

    assert [take("p"), take("q"), take("p")] == [5, 6, 5]
    with pytest.raises(BadRequest, match="no free segment"):
        take("r")
    # p's is named by a subnet, q's by nothing.
    network = _network(world, project="p", number=5)
    with world.db.write() as tx:
        segment_numbers.release_unused(tx, "p")
        segment_numbers.release_unused(tx, "q")
    assert take("r") == 6
    # Also a server that is still on the segment keeps the number, without network or subnet.
    server, _ = _server(world, network)
    _lease(world, server, network.subnets[0])
    with world.db.write() as tx:
        share_networks.delete(tx, network)
        assert share_networks.get(tx, everyone(), network.id) is None
        assert subnets.find(tx, network.subnets[0].id) is None
        segment_numbers.release_unused(tx, "p")
    with pytest.raises(BadRequest):
        take("s")
    with world.db.write() as tx:
        share_servers.delete(tx, server)
    assert take("s") == 5


def test_many_at_once_get_different_numbers(world):
    pool = NetworkPool(name="v", kind="vlan", physical_network="phys", first=1, last=40)

    def take(n):
        with world.db.write() as tx:
            return segment_numbers.take(tx, pool, f"p{n % 20}", "v")

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(take, range(40)))
    assert set(found) == set(range(1, 21))
    assert all(found[n] == found[n + 20] for n in range(20))


def test_networks_settle_when_their_servers_do(world):
    network = _network(world)
    server, _ = _server(world, network)
    for status, becomes in (("network_change", "network_change"), ("error", "error")):
        with world.db.write() as tx:
            share_networks.update(tx, network, status="network_change")
            share_networks.settle(tx, network.id, server.id, ShareServerStatus(status))
            assert share_networks.status_of(tx, server) == becomes
