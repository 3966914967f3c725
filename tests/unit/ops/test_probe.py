"""A probe connects, tells, and leaves everything as it was; on both databases."""

from typing import Any

import pytest

from roadstead.model.errors import BadRequest, Conflict, DriverError, NotFound, Transient
from roadstead.model.queries import OperationFilter
from roadstead.model.world import Attempt, ExportRef
from roadstead.service import access, operations, roads, shares
from roadstead.service.access import NewRule
from tests.factories import make_caller, make_share


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.fixture
def caller():
    return make_caller()


@pytest.fixture
def share(world, caller):
    return make_share(world, caller)


def _allow(world, caller, share, to, level="rw"):
    new = NewRule(access_type="ip", access_to=to, access_level=level)
    access.allow(world.service, caller, share.id, new)


def _probe(world, caller, share) -> Any:
    roads.start_probe(world.service, caller, share.id)
    return roads.last_probe(world.service, caller, share.id).finding


def _clients(world):
    (mark,) = world.export.inventory(world.backend.place)
    return mark.facts["clients"]


def _ref(world, share):
    (mark,) = world.export.inventory(world.backend.place)
    return ExportRef(
        instance_id=share.instance_id, export_id=mark.facts["export_id"], place=world.backend.place
    )


def _tried(finding):
    return [(t.attempt.source, t.expected, t.attempt.outcome) for t in finding.tried]


def test_a_stranger_is_refused_and_a_guest_admitted(world, caller, share):
    """D-I5, D-I8."""
    _allow(world, caller, share, "10.0.0.0/8")
    finding = _probe(world, caller, share)
    assert finding.verdict == "good"
    assert _tried(finding) == [
        ("127.0.0.2", "refused", "refused"),
        ("127.0.0.3", "admitted", "admitted"),
    ]
    assert _clients(world) == {"10.0.0.0/8": "rw"}
    assert shares.get(world.service, caller, share.id).status == "available"
    # D-S7: nothing for the sweep to repair
    assert world.sweep.run() == 0


def test_where_the_stranger_is_admitted_too_nobody_can_be_refused(world, caller, share):
    _allow(world, caller, share, "64.0.0.0/2", "ro")
    finding = _probe(world, caller, share)
    assert finding.verdict == "good"
    assert [t.expected for t in finding.tried] == ["admitted"]
    assert "a rule admits 127.0.0.2 too" in finding.note
    assert _clients(world) == {"64.0.0.0/2": "ro"}


def test_a_missing_export_is_told_and_not_repaired(world, caller, share):
    world.export.ensure_export_absent(_ref(world, share))
    finding = _probe(world, caller, share)
    assert (finding.verdict, finding.problem) == ("broken", "the share is not exported")
    assert list(world.export.inventory(world.backend.place)) == []
    world.sweep.run()
    assert _probe(world, caller, share).verdict == "good"


def test_lost_bytes_are_told(world, caller, share):
    world.pool.ensure_share_absent(share.instance_id)
    assert "not mounted" in _probe(world, caller, share).problem


def test_a_server_that_does_not_answer_is_told(world, caller, share):
    world.export.fail["inventory"] = Transient("no reply")
    assert "no reply" in _probe(world, caller, share).problem


@pytest.mark.parametrize(
    ("source", "outcome", "told"),
    [
        ("127.0.0.2", "admitted", "should be refused, but: admitted"),
        ("127.0.0.3", "refused", "should be admitted, but: refused"),
        ("127.0.0.3", "error", "should be admitted, but: error (timed out)"),
    ],
)
def test_an_answer_that_should_not_be_is_told(
    world, caller, share, monkeypatch, source, outcome, told
):
    real = world.export.probe

    def wrong(ref, *, server, source: str, _at=source):
        if source != _at:
            return real(ref, server=server, source=source)
        return Attempt(server=server, source=source, outcome=outcome, detail="timed out")

    monkeypatch.setattr(world.export, "probe", wrong)
    finding = _probe(world, caller, share)
    assert finding.verdict == "broken"
    assert told in finding.problem
    assert _clients(world) == {}


def test_rules_that_cannot_be_put_back_fail_the_probe_and_tell_the_user(
    world, caller, share, monkeypatch
):
    _allow(world, caller, share, "10.0.0.1")
    real = world.export.ensure_access

    def refuse_to_take_away(ref, rules):
        if len(rules) == 1:
            raise DriverError("the server keeps its guests")
        return real(ref, rules)

    monkeypatch.setattr(world.export, "ensure_access", refuse_to_take_away)
    _, operation_id = roads.start_probe(world.service, caller, share.id)
    found = operations.get(world.service, caller, operation_id)
    assert (found.operation.state, found.operation.error) == (
        "undoing",
        "the server keeps its guests",
    )
    monkeypatch.setattr(world.export, "ensure_access", real)
    from roadstead.store import operations as store

    with world.db.write() as tx:
        store.update(tx, operation_id, not_before=None)
    world.runner.run(operation_id)
    assert _clients(world) == {"10.0.0.1/32": "rw"}
    assert operations.get(world.service, caller, operation_id).operation.state == "failed"
    last = roads.last_probe(world.service, caller, share.id)
    assert last.finding.problem == "the server keeps its guests"
    assert shares.get(world.service, caller, share.id).status == "available"


def test_killed_with_the_guest_inside_the_next_sweep_shows_it_out(
    world, caller, share, monkeypatch
):
    """D-S7: the exact set of rules is back."""

    killed = False

    def probe(ref, *, server, source):
        nonlocal killed
        killed = source == "127.0.0.3"
        if killed:
            raise Killed
        return real_probe(ref, server=server, source=source)

    def ensure_access(ref, rules):
        # Whoever is dead puts nothing back.
        return [] if killed else real_access(ref, rules)

    real_probe, real_access = world.export.probe, world.export.ensure_access
    monkeypatch.setattr(world.export, "probe", probe)
    monkeypatch.setattr(world.export, "ensure_access", ensure_access)
    with pytest.raises(Killed):
        roads.start_probe(world.service, caller, share.id)
    assert _clients(world) == {"127.0.0.3/32": "ro"}
    monkeypatch.undo()
    world.sweep.run()
    assert _clients(world) == {}
    assert roads.last_probe(world.service, caller, share.id).finding.verdict == "good"


def test_one_operation_at_a_time(world, caller, share):
    world.engine.stop()
    roads.start_probe(world.service, caller, share.id)
    with pytest.raises(Conflict):
        roads.start_probe(world.service, caller, share.id)
    with pytest.raises(Conflict):
        shares.extend(world.service, caller, share.id, 2)
    assert shares.get(world.service, caller, share.id).status == "available"


def test_a_share_that_is_not_served_cannot_be_probed(world, caller):
    world.engine.stop()
    share = make_share(world, caller)
    with pytest.raises(BadRequest, match="creating"):
        roads.start_probe(world.service, caller, share.id)
    with pytest.raises(NotFound, match="never probed"):
        roads.last_probe(world.service, caller, share.id)


def test_operations_outlive_the_share_they_were_about(world, caller, share):
    """What became of a share that is gone can still be read."""
    _probe(world, caller, share)
    shares.delete(world.service, caller, share.id)
    found = operations.find_all(
        world.service, caller, OperationFilter(share_id=share.id), limit=100
    )
    assert [f.operation.verb for f in found] == ["share.delete", "share.probe", "share.create"]
    assert {f.operation.state for f in found} == {"done"}
    with pytest.raises(NotFound):
        roads.last_probe(world.service, caller, share.id)
