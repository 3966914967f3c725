"""What the agent says of its pools: only what clients would find."""

import pytest

from roadstead.drivers.pool.memory import MemoryPool
from roadstead.model.errors import DriverError
from roadstead.model.networks import NetworkInfo
from roadstead.model.share_networks import Subnet
from roadstead.model.world import Place
from roadstead.ops.report import capabilities, report
from roadstead.roads.gateway.road import Gateway
from roadstead.roads.network import Network
from roadstead.store import pools, services
from roadstead.store.db import utcnow
from tests.factories import HOST, make_backend, make_world

NETWORK = NetworkInfo(kind="memory", segment_kinds=("vxlan",))
NO_SEGMENTS = NetworkInfo(kind="memory", segment_kinds=(), missing=("no uplink",))


def storage(cidr: str) -> Subnet:
    """A leg of gateways on the storage network."""
    return Subnet(id="storage-0", share_network_id="", cidr=cidr, created_at=utcnow())


@pytest.mark.parametrize(
    ("addresses", "ipv4"),
    [
        (("192.0.2.1",), True),
        (("fd00::1", "192.0.2.1"), True),
        (("fd00::1",), False),
        ((), False),
    ],
)
def test_ipv4_is_what_the_backend_has_an_address_of(addresses, ipv4):
    backend = make_backend().at(Place(id="elsewhere", addresses=addresses))
    assert capabilities(backend)["ipv4_support"] is ipv4


@pytest.mark.parametrize(
    ("network", "ipv4"), [(NETWORK, True), (NO_SEGMENTS, False), (None, False)]
)
def test_share_servers_have_ipv4_where_they_can_be_on_a_segment(network, ipv4):
    backend = make_backend(road=Network()).at(Place(id="nowhere"))
    assert capabilities(backend, network)["ipv4_support"] is ipv4


@pytest.mark.parametrize(
    ("kind", "cidrs", "ipv4"),
    [
        ("l4", ["172.30.0.0/24"], True),
        ("l4", ["fd00:30::/64", "172.30.0.0/24"], True),
        ("l4", ["fd00:30::/64"], False),  # it passes packets on as they are
        ("proxy", ["fd00:30::/64"], True),  # it is an NFS server of its own
    ],
)
def test_gateways_have_ipv4_where_the_filer_has_or_they_speak_for_it(kind, cidrs, ipv4):
    legs = tuple(storage(cidr) for cidr in cidrs)
    backend = make_backend(road=Gateway(storage=legs), gateway=kind)
    assert capabilities(backend, NETWORK)["ipv4_support"] is ipv4


@pytest.mark.parametrize("error", [DriverError("away"), ValueError("a fault")])
@pytest.mark.parametrize("bad", ["first", "second"])
def test_a_pool_that_cannot_be_looked_at_keeps_no_other_from_being_reported(
    database_url, bad, error
):
    """Nor is it forgotten: its service is down when it has not reported for a while."""
    backends = [make_backend("first"), make_backend("second")]
    world = make_world(database_url, backends=backends)
    for backend in backends:
        if backend.name == bad:
            assert isinstance(backend.pool, MemoryPool)
            backend.pool.fail["stats"] = error
    with world.db.read() as tx:
        before = {pool.backend: pool.updated_at for pool in pools.find_all(tx)}
        beat = {each.host: each.heartbeat_at for each in services.find_all(tx)}
    report(world.db, HOST, backends)
    with world.db.read() as tx:
        after = {pool.backend: pool.updated_at for pool in pools.find_all(tx)}
        beats = {e.host for e in services.find_all(tx) if e.heartbeat_at != beat[e.host]}
    world.close()
    assert {name for name in after if after[name] == before[name]} == {bad}
    assert beats == {HOST, *(f"{HOST}@{name}" for name in before if name != bad)}
