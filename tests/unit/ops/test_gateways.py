"""Shares behind gateways: their addresses on both sides come, grow and go with them, whatever is
killed; in memory, on both databases (G-I2, G-I5, X-4)."""

import threading

import pytest

from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id
from roadstead.model.networks import PortRef
from roadstead.model.operations import Operation
from roadstead.ops import share_servers as recipes
from roadstead.ops import shares
from roadstead.ops.begin import Ourselves, begin
from roadstead.ops.ledger import StoreLedger
from roadstead.ops.subjects import of_server
from roadstead.service import share_networks, subnets
from roadstead.service import shares as service
from roadstead.store import allocations
from roadstead.store import flows as store
from roadstead.store import shares as share_rows
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone
from tests.factories import HOST, make_caller
from tests.unit.ops.killing import FORWARD, killed
from tests.unit.ops.network_world import make_network_world


@pytest.fixture
def nw(database_url):
    made = make_network_world(database_url, gateway=True)
    yield made
    made.world.close()


def steps(recipe):
    return [step.name for step in recipe.steps]


def hosts(nw, caller, share):
    return [path.partition(":")[0] for path in nw.paths(caller, share)]


def leases(nw):
    """{(instance, purpose): address} of everything in use."""
    with nw.world.db.read() as tx:
        found = store.on_host(tx, HOST)
    return {(lease.instance_id, lease.purpose): lease.address for lease in found}


def on_ports(nw):
    """Addresses on the ports, by subnet's kind."""
    with nw.world.db.read() as tx:
        own = allocations.on_host(tx, HOST)
    found = {"tenant": [], "storage": []}
    for lease in own:
        side = "storage" if lease.is_storage else "tenant"
        found[side] += nw.network.port_addresses(PortRef(id=lease.id))
    return {side: sorted(addresses) for side, addresses in found.items()}


def away(nw, caller, network):
    page = service.Page()
    for share in service.find_all(nw.world.service, caller, service.ShareFilter(), page):
        nw.delete_share(caller, share)
    for subnet in share_networks.get(nw.world.service, caller, network.id).subnets[1:]:
        subnets.delete(nw.world.service, caller, network.id, subnet.id)
    share_networks.delete(nw.world.service, caller, network.id)
    nw.settle()
    assert (nw.servers(), nw.unowned(), leases(nw)) == ([], [], {})
    assert nw.marks() == {"segment": [], "place": [], "port": []}
    assert nw.look() == 0


def test_a_share_has_an_address_here_and_one_per_level_there(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    one, two = (nw.add_share(caller, network) for _ in range(2))
    assert hosts(nw, caller, one) == ["10.0.0.2"]
    assert hosts(nw, caller, two) == ["10.0.0.3"]
    (server,) = nw.servers()
    assert server.details == {"kind": "gateway", "variant": "l4"}
    found = leases(nw)
    assert found[one.instance_id, "rw"] == "172.30.0.11"
    assert found[one.instance_id, "ro"] == "172.30.0.12"
    assert len(set(found.values())) == 6
    assert on_ports(nw) == {
        "tenant": ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"],
        "storage": [f"172.30.0.{n}/24" for n in range(10, 15)],
    }
    assert nw.look() == 0
    nw.delete_share(caller, one)
    assert on_ports(nw)["tenant"] == ["10.0.0.1/24", "10.0.0.3/24"]
    assert nw.add_share(caller, network).status == "available"  # with the addresses given back
    away(nw, caller, network)


def test_without_an_address_on_the_storage_network_there_is_no_share(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    for _ in range(2):
        assert nw.add_share(caller, network).status == "available"
    assert nw.add_share(caller, network).status == "error"
    assert nw.unowned() == []
    away(nw, caller, network)


def test_tenants_may_have_equal_addresses_and_never_the_same_at_the_filer(nw):
    callers = make_caller(), make_caller()
    networks = [nw.add_network(caller) for caller in callers]
    pairs = zip(callers, networks, strict=True)
    shares = [nw.add_share(caller, network) for caller, network in pairs]
    found = {hosts(nw, *pair)[0] for pair in zip(callers, shares, strict=True)}
    assert found == {"10.0.0.2"}
    there = [address for (_, purpose), address in leases(nw).items() if purpose != "share"]
    assert len(there) == len(set(there)) == 4


@pytest.mark.parametrize("step", steps(shares.CREATE))
def test_create_iskilled(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        with killed(nw, monkeypatch, "share.create", step, phase):
            nw.submit_share(caller, network)
        (share,) = service.find_all(nw.world.service, caller, service.ShareFilter(), service.Page())
        assert share.status == "available"
        assert hosts(nw, caller, share) == ["10.0.0.2"]
        away(nw, caller, network)


@pytest.mark.parametrize("step", steps(shares.DELETE))
def test_delete_iskilled(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        share = nw.add_share(caller, network)
        with killed(nw, monkeypatch, "share.delete", step, phase):
            nw.delete_share(caller, share)
        assert leases(nw) == {}
        away(nw, caller, network)


@pytest.mark.parametrize("step", steps(recipes.UPDATE))
def test_growth_iskilled(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        share = nw.add_share(caller, network)
        with killed(nw, monkeypatch, "share_server.update", step, phase):
            nw.submit_subnet(caller, network, "10.1.0.0/24")
        assert hosts(nw, caller, share) == ["10.0.0.2", "10.1.0.2"]
        away(nw, caller, network)


def test_growth_that_fails_leaves_the_share_as_it_was(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    before = leases(nw), nw.marks()
    nw.world.export.fail["ensure_export"] = DriverError("no")
    nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.settle()
    nw.world.export.fail.clear()
    assert (leases(nw), nw.marks(), hosts(nw, caller, share)) == (*before, ["10.0.0.2"])
    assert nw.unowned() == []


def test_an_address_taken_off_or_put_on_by_hand_is_put_right(nw):
    caller = make_caller()
    network = nw.add_network(caller)
    nw.add_share(caller, network)
    before = on_ports(nw)
    (lease, *_) = _own(nw)
    for addresses in (("10.0.0.1/24",), ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.9/24")):
        nw.network.set_addresses(PortRef(id=lease.id), addresses)
        assert nw.look() == 1
        assert on_ports(nw) == before
    assert nw.look() == 0


def test_a_share_given_up_while_its_gateway_is_taken_back_keeps_no_port(nw, monkeypatch):
    """Both let go of the same ports at one moment: the gateway's waits for the share's to end."""
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    run = recipes.opener(nw.world.db, nw.world.backends, nw.networked)(_making(*nw.servers()))
    (ports,) = (step for step in recipes.CREATE.steps if step.name == "ports")
    taken_back = threading.Thread(target=ports.undo, args=(run,))
    really = nw.network.port_addresses

    def meanwhile(ref):
        found = really(ref)
        if not taken_back.ident:
            taken_back.start()
            taken_back.join(0.3)  # it is not over before the share has let go
        return found

    monkeypatch.setattr(nw.network, "port_addresses", meanwhile)
    ledger = StoreLedger(nw.world.db)
    nw.backend.road.close(nw.backend.export, _instance(nw, share), ledger)
    taken_back.join()
    assert nw.marks()["port"] == []


def test_the_sweep_makes_nothing_again_of_a_server_that_is_being_removed(nw, monkeypatch):
    """It saw the server at rest and without a port; the deletion began while it looked again."""
    caller = make_caller()
    nw.delete_share(caller, nw.add_share(caller, nw.add_network(caller)))
    (server,) = nw.servers()
    nw.lose_port(nw.marks()["port"][0])
    really, looks, made = nw.network.inventory, [], []

    def meanwhile():
        looks.append(1)
        if len(looks) == 2:
            with nw.world.db.write() as tx:
                subject = of_server(server)
                begin(tx, nw.world.engine, "share_server.delete", subject, by=Ourselves())
        return really()

    monkeypatch.setattr(nw.network, "inventory", meanwhile)
    monkeypatch.setattr(nw.network, "ensure_port", made.append)
    nw.look()
    assert made == []
    assert (nw.servers(), nw.unowned()) == ([], [])


def _making(server):
    return Operation(
        id=new_id(),
        verb="share_server.create",
        resource_id=server.id,
        project_id=server.project_id,
        host=HOST,
        state="todo",
        created_at=utcnow(),
    )


def _instance(nw, share):
    with nw.world.db.read() as tx:
        found = share_rows.find_instance(tx, everyone(), share.instance_id)
    assert found is not None
    return found


def _own(nw):
    with nw.world.db.read() as tx:
        return [lease for lease in allocations.on_host(tx, HOST) if not lease.is_storage]
