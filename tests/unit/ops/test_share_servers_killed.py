"""Making, changing and removing a share server is killed at every step, in memory, on both
databases: nothing is left without an owner (N-I5, X-4). All numbers of the pool would be used up
if one kill kept one."""

import datetime

import pytest

from roadstead.model.errors import DriverError
from roadstead.ops import share_servers as recipes
from roadstead.service import share_networks, shares, subnets
from tests.factories import make_caller
from tests.unit.ops.killing import FORWARD, killed

BACK = ("undo-before", "undo-effect", "undo-journal")
NOTHING = {"segment": [], "place": [], "port": []}


def _steps(recipe, until=None):
    names = [step.name for step in recipe.steps]
    return names if until is None else names[: names.index(until) + 1]


def _away(nw, caller, network):
    """The shares go, then the network: nothing at all may be left of it."""
    for share in _shares(nw, caller):
        nw.delete_share(caller, share)
    network = share_networks.get(nw.world.service, caller, network.id)
    for subnet in network.subnets[1:]:
        subnets.delete(nw.world.service, caller, network.id, subnet.id)
    share_networks.delete(nw.world.service, caller, network.id)
    nw.settle()
    assert (nw.servers(), nw.marks(), nw.places_served()) == ([], NOTHING, [])
    assert nw.numbers() == []
    assert nw.unowned() == []
    assert nw.look() == 0


@pytest.mark.parametrize("step", _steps(recipes.CREATE))
def test_create(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        with killed(nw, monkeypatch, "share_server.create", step, phase):
            nw.submit_share(caller, network)
        (share,) = _shares(nw, caller)
        (server,) = nw.servers()
        assert (share.status, server.status) == ("available", "active")
        assert nw.exported_at(server) == [share.instance_id]
        _away(nw, caller, network)


@pytest.mark.parametrize("step", _steps(recipes.CREATE))
def test_undo_of_create(nw, monkeypatch, step):
    for phase in BACK:
        caller = make_caller()
        network = nw.add_network(caller)
        nw.world.export.fail["ensure_server"] = DriverError("no")
        with killed(nw, monkeypatch, "share_server.create", step, phase):
            nw.submit_share(caller, network)
        (share,) = _shares(nw, caller)
        (server,) = nw.servers()
        assert (share.status, server.status, server.details) == ("error", "error", {"error": "no"})
        assert (nw.marks(), nw.places_served()) == (NOTHING, [])
        nw.world.export.fail.clear()
        _away(nw, caller, network)


@pytest.mark.parametrize("step", _steps(recipes.DELETE))
def test_delete(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        nw.delete_share(caller, nw.add_share(caller, network))
        with killed(nw, monkeypatch, "share_server.delete", step, phase):
            nw.look(unused=datetime.timedelta(0))
        assert nw.servers() == []
        _away(nw, caller, network)


@pytest.mark.parametrize("step", _steps(recipes.UPDATE))
def test_update(nw, monkeypatch, step):
    for phase in FORWARD:
        caller = make_caller()
        network = nw.add_network(caller)
        share = nw.add_share(caller, network)
        with killed(nw, monkeypatch, "share_server.update", step, phase):
            nw.submit_subnet(caller, network, "10.1.0.0/24")
        assert _said(nw, caller, network) == ("active", "active")
        assert _hosts(nw, caller, share) == ["10.0.0.1", "10.1.0.1"]
        _away(nw, caller, network)


@pytest.mark.parametrize("step", _steps(recipes.UPDATE, until="ports"))
def test_undo_of_update(nw, monkeypatch, step):
    for phase in BACK:
        caller = make_caller()
        network = nw.add_network(caller)
        share = nw.add_share(caller, network)
        before = nw.marks()
        nw.network.fail["ensure_port"] = DriverError("no")
        with killed(nw, monkeypatch, "share_server.update", step, phase):
            nw.submit_subnet(caller, network, "10.1.0.0/24")
        nw.network.fail.clear()
        assert _said(nw, caller, network) == ("error", "error")
        assert nw.marks() == before
        assert _hosts(nw, caller, share) == ["10.0.0.1"]
        _away(nw, caller, network)


@pytest.mark.parametrize("phase", BACK)
def test_undo_of_update_from_its_last_step(nw, monkeypatch, phase):
    caller = make_caller()
    network = nw.add_network(caller)
    share = nw.add_share(caller, network)
    before = nw.marks()
    nw.world.export.fail["ensure_export"] = DriverError("no")
    with killed(nw, monkeypatch, "share_server.update", "exports", phase):
        nw.submit_subnet(caller, network, "10.1.0.0/24")
    nw.world.export.fail.clear()
    assert _said(nw, caller, network) == ("error", "error")
    assert nw.marks() == before
    assert nw.exported_at(nw.servers()[0]) == [share.instance_id]
    _away(nw, caller, network)


def _shares(nw, caller):
    found = shares.ShareFilter()
    return shares.find_all(nw.world.service, caller, found, shares.Page())


def _said(nw, caller, network):
    (server,) = nw.servers()
    return share_networks.get(nw.world.service, caller, network.id).status, server.status


def _hosts(nw, caller, share):
    return [path.partition(":")[0] for path in nw.paths(caller, share)]
