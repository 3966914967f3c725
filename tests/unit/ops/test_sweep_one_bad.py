"""One share that cannot be repaired keeps no other from it; one that is held open is let go."""

from roadstead.model.errors import DriverError, InUse
from roadstead.model.world import Mark, ShareSpec
from roadstead.roads import direct
from roadstead.service import access
from roadstead.service.access import NewRule
from tests.factories import make_caller, make_share


def _broken(world, *instance_ids):
    """The pool says that these shares are not whole."""
    whole = world.pool.inventory

    def inventory():
        for mark in whole():
            broken = "read-only" if mark.id in instance_ids else None
            yield Mark(kind=mark.kind, id=mark.id, facts=mark.facts, broken=broken)

    return inventory


def test_one_that_cannot_be_repaired_keeps_no_other_from_it(world, monkeypatch):
    """X-11"""
    caller = make_caller()
    bad, good = make_share(world, caller), make_share(world, caller)
    refs = {
        m.id: direct.export_ref(world.backend, _row(world, m.id))
        for m in world.export.inventory(world.backend.place)
    }
    for instance_id in (bad.instance_id, good.instance_id):
        world.export.ensure_export_absent(refs[instance_id])
    monkeypatch.setattr(world.pool, "inventory", _broken(world, bad.instance_id))

    def refuse(spec):
        if spec.instance_id == bad.instance_id:
            raise DriverError("no room")

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
    from roadstead.store import shares

    with world.db.read() as tx:
        found = shares.find_instance(tx, instance_id)
    assert found is not None
    return found


def test_an_export_server_that_does_not_start_keeps_no_share_from_being_mounted(world, monkeypatch):
    share = make_share(world, make_caller())
    world.export.fail["ensure_server"] = DriverError("no")
    stranger = "11111111-2222-4333-8444-555555555555"
    world.pool.ensure_share(ShareSpec(instance_id=stranger, size_bytes=1 << 30))
    assert world.sweep.run() == 1  # the foreign image is told all the same
    assert share.instance_id in {m.id for m in world.pool.inventory()}
