"""An agent leaves the operations of other hosts alone: the API wakes the agent beside it for every
one, and who writes the queue's rows may name any."""

import pytest

from roadstead.drivers.network.memory import MemoryNetwork
from roadstead.ops.runner import Runner
from roadstead.ops.share_servers import opener
from roadstead.roads.networked import Networked
from roadstead.service import access
from roadstead.store import operations
from tests.factories import HOST, make_caller, make_share
from tests.unit.ops.two_hosts import ADDRESSES, TARGET, make_two_hosts


@pytest.fixture
def two(database_url):
    made = make_two_hosts(database_url)
    yield made
    made.world.close()


def test_an_attachment_is_made_where_the_vm_is_and_nowhere_else(two):
    caller = make_caller()
    share = make_share(two.world, caller)
    two.target.hypervisor.add_guest("web", project_id=caller.project_id, running=True)
    two.look()

    def wake(operation_id):
        two.source.runner.run(operation_id)  # the agent of the API's own machine
        two.run(operation_id)

    two.world.engine.start(wake)
    made = two.attach(caller, share, "web")
    assert (made.state, made.host) == ("active", TARGET)
    assert two.source.marks() == []
    assert two.target.marks() == ["bind", "device", "mount"]
    rules = access.find_all(two.world.service, caller, share.id, access.RuleFilter())
    assert [rule.access_to for rule in rules] == [ADDRESSES[TARGET]]


def test_a_share_server_is_made_at_its_own_host_and_nowhere_else(nw):
    """Backends of two hosts often have one name."""
    other, world = MemoryNetwork(MemoryNetwork.Options()), nw.world
    elsewhere = Runner(
        world.db,
        "node2",
        world.backends,
        openers={"share_server": opener(world.db, world.backends, Networked(other))},
    )
    caller = make_caller()
    world.engine.stop()
    nw.submit_share(caller, nw.add_network(caller))
    with world.db.read() as tx:
        begun = [operation.id for operation in operations.live_on(tx, HOST)]
    for operation_id in begun:
        elsewhere.run(operation_id)
    assert list(other.inventory()) == []
    assert [server.status for server in nw.servers()] == ["creating"]
