"""Drift: what somebody changed by hand is found, repaired and told."""

import itertools

import msgspec
import pytest

from roadstead.model.ids import new_id
from roadstead.model.world import ExportRef, ShareSpec
from roadstead.service import access, shares
from roadstead.service.access import NewRule
from roadstead.store import drift
from roadstead.store.db import counting
from tests.factories import make_caller, make_share


def _found(world):
    with world.db.read() as tx:
        return [(d["kind"], d["resource_type"], d["action"]) for d in drift.find_all(tx)]


def _ref(world, share):
    (mark,) = world.export.inventory(world.backend.place)
    return ExportRef(
        instance_id=share.instance_id,
        export_id=mark.facts["export_id"],
        place=world.backend.place,
    )


def test_nothing_to_do_is_nothing_done(world):
    make_share(world, make_caller())
    assert world.sweep.run() == 0
    assert _found(world) == []


def test_a_share_made_while_the_sweep_looks_is_not_taken_for_lost(world, monkeypatch):
    """Between the look at the pool and the rows, which takes as long as the export servers do."""
    caller, look, made = make_caller(), world.pool.inventory, []

    def inventory():
        seen = list(look())
        looks.append(seen)
        if len(looks) == 2:  # before anything is mended, and then to compare
            made.append(make_share(world, caller))
        return iter(seen)

    looks: list[object] = []
    monkeypatch.setattr(world.pool, "inventory", inventory)
    world.sweep.run()
    (share,) = made
    assert shares.get(world.service, caller, share.id).status == "available"
    assert _found(world) == []


def test_a_removed_export_comes_back_with_its_rules(world):
    caller = make_caller()
    share = make_share(world, caller)
    access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.0/8"))
    world.export.ensure_export_absent(_ref(world, share))
    world.sweep.run()
    (mark,) = world.export.inventory(world.backend.place)
    assert mark.facts["clients"] == {"10.0.0.0/8": "rw"}
    assert ("missing", "export", "exported again") in _found(world)


def test_a_rule_removed_by_hand_is_applied_again(world):
    caller = make_caller()
    share = make_share(world, caller)
    access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1"))
    world.export.ensure_access(_ref(world, share), [])
    world.sweep.run()
    (mark,) = world.export.inventory(world.backend.place)
    assert mark.facts["clients"] == {"10.0.0.1/32": "rw"}
    assert _found(world) == [("differs", "access", "applied again")]


@pytest.mark.parametrize(
    ("clients", "told"),
    [
        ({"10.0.0.1/32": "rw"}, ("missing", "export", "exported again")),
        ({"10.0.0.9/32": "rw"}, ("differs", "access", "applied again")),
    ],
)
def test_what_a_driver_mends_by_itself_is_told_too(world, monkeypatch, clients, told):
    """D-S7: before anything is compared, the export server serves its files again."""
    caller = make_caller()
    share = make_share(world, caller)
    access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1"))
    look = world.export.inventory
    (mark,) = look(world.backend.place)
    facts = {**mark.facts, "clients": clients}
    first = iter([[msgspec.structs.replace(mark, facts=facts, broken="changed by hand")]])
    monkeypatch.setattr(world.export, "inventory", lambda place: next(first, look(place)))
    assert world.sweep.run() == 1
    assert world.sweep.run() == 0
    assert _found(world) == [told]


def test_a_share_the_journal_never_heard_of_is_reported_and_left(world):
    """A lost or exchanged database must not cost anybody's data."""
    stranger = new_id()
    world.pool.ensure_share(ShareSpec(instance_id=stranger, size_bytes=1 << 30))
    world.sweep.run()
    world.sweep.run()
    assert [m.id for m in world.pool.inventory()] == [stranger]
    assert _found(world) == [("foreign", "share", "left alone: no operation ever made it")]


def test_what_an_operation_left_behind_is_set_aside(world):
    caller = make_caller()
    share = make_share(world, caller)
    shares.delete(world.service, caller, share.id)
    world.pool.ensure_share(ShareSpec(instance_id=share.instance_id, size_bytes=1 << 30))
    world.sweep.run()
    assert [m.kind for m in world.pool.inventory()] == ["trash"]
    ((kind, what, action),) = _found(world)
    assert (kind, what) == ("leaked", "share")
    assert action.startswith("in the trash until ")


def test_lost_bytes_are_never_replaced_by_an_empty_share(world):
    caller = make_caller()
    share = make_share(world, caller)
    world.pool.ensure_share_absent(share.instance_id)
    world.sweep.run()
    assert shares.get(world.service, caller, share.id).status == "error"
    assert list(world.pool.inventory()) == []
    assert ("lost", "share", "set to error") in _found(world)


@pytest.mark.parametrize("look", [1, 2], ids=["before", "compared"])
def test_a_rule_that_changes_while_the_sweep_looks_is_no_drift(world, monkeypatch, look):
    """A gateway's filer is asked for its part without a lock: an export is half changed then."""
    caller = make_caller()
    share = make_share(world, caller)
    inventory, looks = world.export.inventory, itertools.count(1)

    def half_changed(place):
        (mark,) = inventory(place)
        if next(looks) == look:
            new = NewRule(access_type="ip", access_to="10.0.0.1")
            access.allow(world.service, caller, share.id, new)
            mark = msgspec.structs.replace(mark, broken="the filer's rules differ")
        yield mark

    monkeypatch.setattr(world.export, "inventory", half_changed)
    world.sweep.run()
    assert _found(world) == []
    (mark,) = inventory(world.backend.place)
    assert mark.facts["clients"] == {"10.0.0.1/32": "rw"}


def _statements(world) -> int:
    with counting() as counter:
        assert world.sweep.run() == 0
    return counter[0]


def test_where_nothing_differs_many_shares_take_no_more_statements_than_few(world):
    caller = make_caller()
    few, many = 5, 50
    for _ in range(few):
        share = make_share(world, caller)
        access.allow(
            world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1")
        )
    before = _statements(world)
    for _ in range(many - few):
        make_share(world, caller)
    assert _statements(world) == before
