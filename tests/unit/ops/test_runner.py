"""Operations end, whatever happens on the way."""

import datetime

import pytest

from roadstead.model.errors import Conflict, DriverError, Transient
from roadstead.model.ids import new_id
from roadstead.model.queries import MessageFilter, Page, RuleFilter
from roadstead.model.world import ExportSpec, ShareSpec
from roadstead.ops.recipes import RECIPES
from roadstead.service import access, roads, shares
from roadstead.service.access import NewRule
from roadstead.service.new_share import NewShare
from roadstead.service.placement import create
from roadstead.store import messages, operations
from roadstead.store import shares as share_store
from roadstead.store.quotas import usage
from roadstead.store.scope import everyone
from tests.factories import HOST, make_caller, make_share, make_world


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


def _messages(world, caller):
    with world.db.read() as tx:
        return messages.find_all(tx, caller.own, MessageFilter(), Page())


def _use(world, project_id):
    with world.db.read() as tx:
        return usage(tx, project_id)


def _live(world):
    with world.db.read() as tx:
        return operations.live_on(tx, "node1")


def test_create_makes_bytes_export_and_location(world):
    caller = make_caller()
    share = make_share(world, caller, size_gib=2)
    assert (share.status, share.progress) == ("available", "100%")
    (mark,) = world.pool.inventory()
    assert mark.id == share.instance_id
    assert mark.facts["size_bytes"] == 2 << 30
    (location,) = shares.export_locations(world.service, caller, share.id)
    assert location.path == f"192.0.2.1:/share-{share.instance_id}"


def test_failed_create_is_undone_and_tells_the_user(world):
    world.export.fail["ensure_export"] = DriverError("the export server says no")
    caller = make_caller()
    share = make_share(world, caller)
    assert share.status == "error"
    assert list(world.pool.inventory()) == []
    (message,) = _messages(world, caller)
    assert (message.action_id, message.resource_id) == ("002", share.id)
    assert "the export server says no" in message.user_message
    assert _live(world) == []


def test_a_failed_create_leaves_a_share_that_is_older_than_it(world):
    """A database came back in which the share was just being made; it has been extended since."""
    caller = make_caller()
    world.engine.stop()
    made = create(world.service, caller, NewShare(proto="NFS", size_gib=1))
    world.pool.ensure_share(ShareSpec(instance_id=made.instance_id, size_bytes=2 << 30))
    for operation in _live(world):
        world.runner.run(operation.id)
    (mark,) = world.pool.inventory()
    assert (mark.kind, mark.id, mark.facts["size_bytes"]) == ("share", made.instance_id, 2 << 30)
    assert shares.get(world.service, caller, made.id).status == "error"
    assert _live(world) == []
    world.engine.start(world.runner.run)
    shares.delete(world.service, caller, made.id)
    assert list(world.pool.inventory()) == []


def test_a_new_share_gets_an_export_id_that_no_export_without_a_row_has(world):
    """An older database came back: shares made since are exported, left alone, and not counted."""
    caller, place = make_caller(), world.backend.place
    strangers = {n: new_id() for n in (1, 2, 5)}
    for number, stranger in strangers.items():
        world.export.ensure_export(
            ExportSpec(instance_id=stranger, export_id=number, path="/", proto="NFS", place=place)
        )
    first, second = make_share(world, caller), make_share(world, caller)
    for operation in _live(world):
        with world.db.write() as tx:
            operations.update(tx, operation.id, not_before=None)
        world.runner.run(operation.id)
    for share in (first, second):
        assert shares.get(world.service, caller, share.id).status == "available"
    exported = {mark.id: mark.facts["export_id"] for mark in world.export.inventory(place)}
    assert exported == {
        **{stranger: number for number, stranger in strangers.items()},
        first.instance_id: 6,
        second.instance_id: 7,
    }


def test_export_ids_that_are_used_up_are_given_again(world):
    share = make_share(world, make_caller())
    with world.db.write() as tx:
        found = share_store.find_instance(tx, everyone(), share.instance_id)
        assert found is not None
        share_store.renumber(tx, found, HOST, {1, 2, 65535})
        found = share_store.find_instance(tx, everyone(), share.instance_id)
    assert found is not None
    assert found.export_id == 3


def test_messages_are_kept_as_long_as_configured(database_url):
    """Of what failed on the way, and of what found no pool at all."""
    world = make_world(database_url, keep_messages=datetime.timedelta(days=3))
    world.export.fail["ensure_export"] = DriverError("the export server says no")
    caller = make_caller()
    make_share(world, caller)
    make_share(world, caller, proto="CIFS")
    found = _messages(world, caller)
    assert {m.action_id for m in found} == {"001", "002"}
    assert {m.expires_at - m.created_at for m in found} == {datetime.timedelta(days=3)}
    world.close()


def test_transient_failure_is_tried_again(world):
    world.pool.fail["ensure_share"] = Transient("not yet")
    caller = make_caller()
    share = make_share(world, caller)
    assert share.status == "creating"
    ((operation_id, seconds),) = world.retries
    assert 0 < seconds < 1
    del world.pool.fail["ensure_share"]
    _make_due(world, operation_id)
    world.runner.run(operation_id)
    assert shares.get(world.service, caller, share.id).status == "available"


def _make_due(world, operation_id):
    with world.db.write() as tx:
        operations.update(tx, operation_id, not_before=None)


def test_transient_failure_is_given_up_in_the_end(world):
    world.runner._give_up_after = datetime.timedelta(0)
    world.pool.fail["ensure_share"] = Transient("never")
    caller = make_caller()
    share = make_share(world, caller)
    assert share.status == "error"
    assert "never" in _messages(world, caller)[0].user_message


def test_the_time_without_an_agent_does_not_count(world):
    """An operation that waited longer than it may take is still tried more than once."""
    world.engine.stop()
    caller = make_caller()
    share = make_share(world, caller)
    (operation_id,) = world.engine.pending
    with world.db.write() as tx:
        operations.update(tx, operation_id, created_at=datetime.datetime(2000, 1, 1))
    world.pool.fail["ensure_share"] = Transient("not yet")
    world.runner.run(operation_id)
    assert shares.get(world.service, caller, share.id).status == "creating"
    del world.pool.fail["ensure_share"]
    _make_due(world, operation_id)
    world.runner.run(operation_id)
    assert shares.get(world.service, caller, share.id).status == "available"


def test_an_operation_before_its_time_waits(world):
    world.pool.fail["ensure_share"] = Transient("not yet")
    caller = make_caller()
    make_share(world, caller)
    ((operation_id, _),) = world.retries
    del world.pool.fail["ensure_share"]
    with world.db.write() as tx:
        later = datetime.datetime(2100, 1, 1)
        operations.update(tx, operation_id, not_before=later)
    world.runner.run(operation_id)
    assert world.retries[-1][0] == operation_id
    assert list(world.pool.inventory()) == []


def test_shrink_below_use_leaves_the_share_available_with_message_018(world):
    caller = make_caller()
    share = make_share(world, caller, size_gib=5)
    world.pool.fail["ensure_size"] = DriverError("too much data", detail_id="018")
    shares.shrink(world.service, caller, share.id, 1)
    after = shares.get(world.service, caller, share.id)
    if after.status == "shrinking":  # the undo failed as well and comes back
        del world.pool.fail["ensure_size"]
        _make_due(world, world.retries[-1][0])
        world.runner.run(world.retries[-1][0])
        after = shares.get(world.service, caller, share.id)
    assert (after.status, after.size_gib) == ("available", 5)
    assert _messages(world, caller)[0].detail_id == "018"
    assert _use(world, caller.project_id)["gigabytes"].in_use == 5


def test_extend_reserves_at_once_and_counts_exactly_after(world):
    caller = make_caller()
    share = make_share(world, caller)
    world.engine.stop()
    shares.extend(world.service, caller, share.id, 4)
    use = _use(world, caller.project_id)["gigabytes"]
    assert (use.in_use, use.reserved) == (1, 3)
    world.engine.start(world.runner.run)
    world.engine.wake("node1")
    use = _use(world, caller.project_id)["gigabytes"]
    assert (use.in_use, use.reserved) == (4, 0)


def test_failed_extend_gives_the_reservation_back(world):
    caller = make_caller()
    share = make_share(world, caller)
    calls = []
    real = world.pool.ensure_size

    def refuse_growth(instance_id, size):
        calls.append(size)
        if size > 1 << 30:
            raise DriverError("disk full", detail_id="015")
        return real(instance_id, size)

    world.pool.ensure_size = refuse_growth
    shares.extend(world.service, caller, share.id, 4)
    after = shares.get(world.service, caller, share.id)
    assert (after.status, after.size_gib) == ("extending_error", 1)
    assert calls == [4 << 30, 1 << 30]
    use = _use(world, caller.project_id)["gigabytes"]
    assert (use.in_use, use.reserved) == (1, 0)


def test_rule_the_backend_cannot_express_goes_to_error_and_can_be_removed(world):
    """D-I4 (LP 1707066)."""
    caller = make_caller()
    share = make_share(world, caller)
    rule = access.allow(
        world.service, caller, share.id, NewRule(access_type="user", access_to="alice")
    )
    assert access.get(world.service, caller, rule.id).state == "error"
    assert shares.get(world.service, caller, share.id).access_rules_status == "error"
    assert _messages(world, caller)[0].detail_id == "021"
    access.deny(world.service, caller, share.id, rule.id)
    assert access.find_all(world.service, caller, share.id, RuleFilter()) == []
    assert shares.get(world.service, caller, share.id).access_rules_status == "active"


def test_a_bad_rule_does_not_keep_the_good_ones_out(world):
    caller = make_caller()
    share = make_share(world, caller)
    new = [NewRule(access_type="user", access_to="alice")]
    new += [NewRule(access_type="ip", access_to=f"10.0.0.{i}") for i in (1, 2)]
    for rule in new:
        access.allow(world.service, caller, share.id, rule)
    (mark,) = world.export.inventory(world.backend.place)
    assert set(mark.facts["clients"]) == {"10.0.0.1/32", "10.0.0.2/32"}


def test_two_rules_at_the_same_moment_both_hold(world):
    """D-I7 (LP 1626249): submitted together, run in either order."""
    caller = make_caller()
    share = make_share(world, caller)
    world.engine.stop()
    for address in ("10.0.0.1", "10.0.0.2"):
        access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to=address))
    for operation_id in reversed(world.engine.pending):
        world.runner.run(operation_id)
    found = access.find_all(world.service, caller, share.id, RuleFilter())
    assert {r.state for r in found} == {"active"}
    (mark,) = world.export.inventory(world.backend.place)
    assert len(mark.facts["clients"]) == 2


def test_one_live_operation_per_resource(world):
    caller = make_caller()
    world.engine.stop()
    share = make_share(world, caller)
    with pytest.raises(Conflict):
        shares.force_delete(world.service, caller, share.id)
    assert shares.get(world.service, caller, share.id).status == "creating"


def _phases():
    for verb, recipe in RECIPES.items():
        if verb.startswith(("attachment.", "share_server.")):
            continue  # test_attachments_killed.py, test_share_servers_killed.py
        for step in recipe.steps:
            for phase in ("before", "effect", "journal"):
                yield pytest.param(verb, step.name, phase, id=f"{verb}-{step.name}-{phase}")


@pytest.mark.parametrize(("verb", "step", "phase"), list(_phases()))
def test_killed_anywhere_it_is_finished_by_the_next_run(world, monkeypatch, verb, step, phase):
    """The journal alone decides: a run that dies between any two lines is simply repeated."""
    from roadstead.ops import fault

    caller = make_caller()
    share = None if verb == "share.create" else make_share(world, caller, size_gib=2)
    rule = None
    if verb in ("access.deny", "access.update"):
        assert share is not None
        new = NewRule(access_type="ip", access_to="10.0.0.9")
        rule = access.allow(world.service, caller, share.id, new)
    world.engine.stop()
    before = set(world.engine.pending)
    share = _begin(world, caller, verb, share, rule) or share
    (operation_id,) = set(world.engine.pending) - before

    def die(at_verb, at_step, at_phase):
        if (at_verb, at_step, at_phase) == (verb, step, phase):
            raise Killed

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Killed):
        world.runner.run(operation_id)
    monkeypatch.setattr(fault, "point", lambda *_: None)
    world.engine.start(world.runner.run)
    world.sweep.run()
    assert _live(world) == []
    _check_end(world, caller, verb, share)
    assert world.sweep.run() == 0


def _begin(world, caller, verb, share, rule):
    service = world.service
    match verb:
        case "share.create":
            return make_share(world, caller, size_gib=2)
        case "share.delete":
            shares.delete(service, caller, share.id)
        case "share.extend":
            shares.extend(service, caller, share.id, 3)
        case "share.shrink":
            shares.shrink(service, caller, share.id, 1)
        case "share.probe":
            roads.start_probe(service, caller, share.id)
        case "access.apply":
            new = NewRule(access_type="ip", access_to="10.0.0.9")
            access.allow(service, caller, share.id, new)
        case "access.update":
            access.update_level(service, caller, rule.id, "ro")
        case "access.deny":
            access.deny(service, caller, share.id, rule.id)


def _check_end(world, caller, verb, share):
    size = {"share.extend": 3, "share.shrink": 1, "share.delete": 0}.get(verb, 2)
    assert _use(world, caller.project_id)["gigabytes"].in_use == size
    disks = [(m.id, m.facts["size_bytes"]) for m in world.pool.inventory()]
    exports = list(world.export.inventory(world.backend.place))
    if verb == "share.delete":
        assert (disks, exports) == ([], [])
        return
    assert shares.get(world.service, caller, share.id).status == "available"
    assert disks == [(share.instance_id, size << 30)]
    clients = {"access.apply": {"10.0.0.9/32": "rw"}, "access.update": {"10.0.0.9/32": "ro"}}
    assert exports[0].facts["clients"] == clients.get(verb, {})
    if verb == "share.probe":
        assert roads.last_probe(world.service, caller, share.id).finding.verdict == "good"
    with world.db.read() as tx:
        assert operations.live_resources(tx, "node1") == set()
