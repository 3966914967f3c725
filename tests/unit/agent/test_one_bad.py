"""Where one part of the host fails, the others work on, and that one is tried again (X-11)."""

import datetime

import pytest

from roadstead.agent.compute import ComputeAgent
from roadstead.agent.networks import NetworkAgent
from roadstead.config.sections import Config
from roadstead.drivers.pool.memory import MemoryPool
from roadstead.model.errors import DriverError, Transient
from roadstead.ops.names import owner_of_bytes
from roadstead.store import vms
from tests.factories import HOST, make_backend, make_caller, make_share, make_world
from tests.unit.ops.memory_pair import MemoryFailover

ERRORS = [DriverError("away"), ValueError("a fault")]


def _network_agent(nw):
    world = nw.world
    return NetworkAgent(
        Config(host=HOST), nw.networked, world.db, world.backends, world.engine.adopt
    )


@pytest.mark.parametrize("error", ERRORS)
def test_pairs_of_which_nobody_can_tell_are_looked_for_again(nw, monkeypatch, error):
    """The agent asks once, when it starts: it must neither end nor forget them."""
    nw.networked.failover = MemoryFailover(nw.network, up=True)
    agent = _network_agent(nw)
    assert not agent.has_pairs

    def fail():
        raise error

    monkeypatch.setattr(nw.networked.failover, "inventory", fail)
    assert agent.has_pairs
    agent.look_at_pairs()


@pytest.mark.parametrize("error", ERRORS)
def test_a_network_driver_that_cannot_be_asked_has_what_it_had(nw, monkeypatch, error):
    agent = _network_agent(nw)
    before = agent.capabilities()

    def fail():
        raise error

    monkeypatch.setattr(nw.network, "capabilities", fail)
    assert before is not None
    assert agent.capabilities() == before
    assert _network_agent(nw).capabilities() is None


@pytest.mark.parametrize("error", ERRORS)
def test_a_compute_host_that_is_not_ready_at_the_start_is_later(cw, error):
    compute = ComputeAgent(
        cw.world.db, cw.compute, cw.world.engine, cw.world.engine.adopt, grace=datetime.timedelta(0)
    )
    cw.mounts.fail["ensure_ready"] = error
    compute.start()
    assert _reports(cw) is False
    cw.mounts.fail.clear()
    compute.look()
    compute.stop()
    assert _reports(cw) is True


def _reports(cw):
    with cw.world.db.read() as tx:
        return vms.host(tx, HOST) is not None


@pytest.mark.parametrize("error", ERRORS)
def test_a_pool_that_cannot_be_looked_at_keeps_nobody_from_asking_whose_bytes_these_are(
    database_url, error
):
    bad, good = make_backend("bad", total_gib=1), make_backend("good")
    world = make_world(database_url, backends=[bad, good])
    make_share(world, make_caller(), size_gib=2)
    assert isinstance(bad.pool, MemoryPool)
    bad.pool.fail["inventory"] = error
    assert owner_of_bytes(world.db, "renamed", world.backends) == HOST
    with pytest.raises(Transient):
        owner_of_bytes(world.db, "renamed", {bad.pool_name: bad})
    world.close()
