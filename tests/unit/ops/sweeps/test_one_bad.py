"""One driver that fails, one share or server that cannot be repaired, keeps no other from being
looked at; one that is held open is let go (X-11)."""

import datetime

import pytest

from roadstead.model.errors import DriverError, InUse
from roadstead.model.networks import PortRef
from roadstead.model.world import ExportRef, Mark, Place, ShareSpec
from roadstead.roads import serving
from roadstead.service import access
from roadstead.service.access import NewRule
from roadstead.store import attachments
from roadstead.store import shares as share_store
from roadstead.store.scope import everyone
from tests.factories import make_backend, make_caller, make_share, make_world

# What a driver may raise, and what it raises when it has a fault.
ERRORS = [DriverError("away"), ValueError("a fault")]


def _broken(world, *instance_ids):
    """The pool says that these shares are not whole."""
    whole = world.pool.inventory

    def inventory():
        for mark in whole():
            broken = "read-only" if mark.id in instance_ids else None
            yield Mark(kind=mark.kind, id=mark.id, facts=mark.facts, broken=broken)

    return inventory


@pytest.mark.parametrize("error", ERRORS)
def test_one_that_cannot_be_repaired_keeps_no_other_from_it(world, monkeypatch, error):
    caller = make_caller()
    bad, good = make_share(world, caller), make_share(world, caller)
    refs = {
        m.id: serving.export_ref(world.backend, _row(world, m.id))
        for m in world.export.inventory(world.backend.place)
    }
    for instance_id in (bad.instance_id, good.instance_id):
        world.export.ensure_export_absent(refs[instance_id])
    monkeypatch.setattr(world.pool, "inventory", _broken(world, bad.instance_id))

    def refuse(spec):
        if spec.instance_id == bad.instance_id:
            raise error

    monkeypatch.setattr(world.pool, "ensure_share", refuse)
    world.sweep.run()
    exported = {m.id for m in world.export.inventory(world.backend.place)}
    assert good.instance_id in exported


def test_one_that_its_own_export_holds_open_is_let_go(world, monkeypatch):
    caller = make_caller()
    share = make_share(world, caller)
    access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1"))
    monkeypatch.setattr(world.pool, "inventory", _broken(world, share.instance_id))
    mounted = []

    def ensure_share(spec):
        if any(m.id == spec.instance_id for m in world.export.inventory(world.backend.place)):
            raise InUse("open")
        mounted.append(spec.instance_id)

    monkeypatch.setattr(world.pool, "ensure_share", ensure_share)
    world.sweep.run()
    assert share.instance_id in mounted
    (mark,) = world.export.inventory(world.backend.place)
    assert mark.facts["clients"] == {"10.0.0.1/32": "rw"}


def _row(world, instance_id):
    with world.db.read() as tx:
        found = share_store.find_instance(tx, everyone(), instance_id)
    assert found is not None
    return found


def test_an_export_server_that_does_not_start_keeps_no_share_from_being_mounted(world, monkeypatch):
    share = make_share(world, make_caller())
    world.export.fail["ensure_server"] = DriverError("no")
    stranger = "11111111-2222-4333-8444-555555555555"
    world.pool.ensure_share(ShareSpec(instance_id=stranger, size_bytes=1 << 30))
    assert world.sweep.run() == 1  # the foreign image is told all the same
    assert share.instance_id in {m.id for m in world.pool.inventory()}


@pytest.mark.parametrize("method", ["ensure_pool", "inventory"])
@pytest.mark.parametrize("error", ERRORS)
def test_a_pool_that_cannot_be_looked_at_keeps_no_other_from_it(database_url, method, error):
    bad, good = make_backend("bad", total_gib=1), make_backend("good")
    world = make_world(database_url, backends=[bad, good])
    instance = _row(world, make_share(world, make_caller()).instance_id)
    assert instance.host == good.pool_name
    good.export.ensure_export_absent(serving.export_ref(good, instance))
    world.pool.fail[method] = error
    world.sweep.run()
    world.close()
    assert [m.id for m in good.export.inventory(good.place)] == [instance.id]


@pytest.mark.parametrize("error", ERRORS)
def test_an_export_server_that_cannot_be_looked_at_keeps_no_other_from_it(nw, monkeypatch, error):
    caller = make_caller()
    mine = [nw.add_share(caller, nw.add_network(caller)) for _ in range(2)]
    bad, good = nw.servers()
    export, inventory = nw.world.export, nw.world.export.inventory
    for server in (bad, good):
        for mark in list(inventory(Place(id=server.id))):
            ref = ExportRef(
                instance_id=mark.id, export_id=mark.facts["export_id"], place=Place(id=server.id)
            )
            export.ensure_export_absent(ref)

    def one_fails(place):
        if place.id == bad.id:
            raise error
        return inventory(place)

    monkeypatch.setattr(export, "inventory", one_fails)
    nw.look()
    monkeypatch.undo()
    assert nw.exported_at(bad) == []
    assert nw.exported_at(good) == [s.instance_id for s in mine if s.share_server_id == good.id]


@pytest.mark.parametrize("error", ERRORS)
def test_a_share_server_that_cannot_be_repaired_keeps_no_other_from_it(nw, monkeypatch, error):
    caller = make_caller()
    for _ in range(2):
        nw.add_share(caller, nw.add_network(caller))
    bad, good = nw.servers()
    before, ensure_place = nw.marks(), nw.network.ensure_place
    for port in before["port"]:
        nw.network.ensure_port_absent(PortRef(id=port))

    def refuse(place):
        if place.id == bad.id:
            raise error
        ensure_place(place)

    monkeypatch.setattr(nw.network, "ensure_place", refuse)
    nw.look()
    assert [nw.network.find_port(m).place_id for m in nw.marks()["port"]] == [good.id]


@pytest.mark.parametrize("error", ERRORS)
def test_networks_that_cannot_be_looked_at_keep_no_server_that_nobody_needs(nw, error):
    caller = make_caller()
    nw.delete_share(caller, nw.add_share(caller, nw.add_network(caller)))
    nw.network.fail["inventory"] = error
    nw.look(unused=datetime.timedelta(0))
    nw.network.fail.clear()
    assert nw.servers() == []


@pytest.mark.parametrize("error", ERRORS)
def test_mounts_that_cannot_be_looked_at_keep_no_attachment_from_being_told(cw, error):
    caller = make_caller()
    share = make_share(cw.world, caller)
    vm = cw.hypervisor.add_guest("web", project_id=caller.project_id, running=True)
    cw.report()
    attached = cw.attach(caller, share, "web")
    before = sorted(m.kind for m in cw.mounts.inventory())
    cw.hypervisor.stop(vm)
    cw.mounts.fail["inventory"] = error
    cw.look()
    cw.mounts.fail.clear()
    with cw.world.db.read() as tx:
        found = attachments.find(tx, everyone(), attached.id)
    assert found is not None
    assert found.state == "inactive"
    assert sorted(m.kind for m in cw.mounts.inventory()) == before
