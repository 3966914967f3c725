"""Attach and detach are killed at every step, in memory, on both databases (H-I2)."""

import pytest

from roadstead.model.errors import DriverError
from roadstead.ops import attachments as recipes
from roadstead.ops import fault
from roadstead.service import access, attachments
from roadstead.service.attachments import NewAttachment
from roadstead.store import operations
from tests.factories import HOST, make_caller, make_share
from tests.unit.ops.compute_world import make_compute_world

FORWARD = ("before", "effect", "journal")
BACK = ("undo-before", "undo-effect", "undo-journal")


class Killed(BaseException):
    """The process is gone."""


def _points(recipe, phases):
    return [(step.name, phase) for step in recipe.steps for phase in phases]


@pytest.fixture(params=[True, False], ids=["local", "far"])
def cw(request, database_url):
    made = make_compute_world(database_url, local=request.param)
    yield made
    made.world.close()


def _die_at(monkeypatch, verb, step, phase):
    """The next time the point is reached, and then never again."""

    def point(*here):
        if here == (verb, step, phase):
            monkeypatch.setattr(fault, "point", lambda *_: None)
            raise Killed

    monkeypatch.setattr(fault, "point", point)


def _again(cw):
    """The next agent: its sweep resumes what is unfinished."""
    with cw.world.db.read() as tx:
        live = operations.live_on(tx, HOST)
    for operation in live:
        cw.world.retries.append((operation.id, 0.0))
    cw.settle()
    cw.look()


def _survives(cw, act):
    try:
        act()
        cw.settle()
    except Killed:
        cw.runner = cw.renewed_runner()
        _again(cw)
        return True
    return False


def _clean(cw, caller, share):
    assert list(cw.hypervisor.inventory()) == []
    assert list(cw.mounts.inventory()) == []
    assert access.find_all(cw.world.service, caller, share.id, access.RuleFilter()) == []
    with cw.world.db.read() as tx:
        assert operations.live_on(tx, HOST) == []


@pytest.mark.parametrize(("step", "phase"), _points(recipes.ATTACH, FORWARD))
def test_attach(cw, monkeypatch, step, phase):
    caller = make_caller()
    share = make_share(cw.world, caller)
    cw.hypervisor.add_guest("web", project_id=caller.project_id)
    cw.report()
    _die_at(monkeypatch, "attachment.attach", step, phase)
    new = NewAttachment(share_id=share.id, vm="web")
    assert _survives(cw, lambda: attachments.attach(cw.world.service, caller, new))
    (found,) = attachments.find_all(cw.world.service, caller, attachments.AttachmentFilter())
    assert found.state == "active"
    assert [m.id for m in cw.hypervisor.inventory()] == [found.id]
    cw.detach(caller, found)
    _clean(cw, caller, share)


@pytest.mark.parametrize(("step", "phase"), _points(recipes.DETACH, FORWARD))
def test_detach(cw, monkeypatch, step, phase):
    caller = make_caller()
    share = make_share(cw.world, caller)
    cw.hypervisor.add_guest("web", project_id=caller.project_id)
    cw.report()
    made = cw.attach(caller, share, "web")
    _die_at(monkeypatch, "attachment.detach", step, phase)
    assert _survives(cw, lambda: attachments.detach(cw.world.service, caller, made.id))
    assert attachments.find_all(cw.world.service, caller, attachments.AttachmentFilter()) == []
    _clean(cw, caller, share)


@pytest.mark.parametrize(("step", "phase"), _points(recipes.ATTACH, BACK))
def test_undo_of_attach(cw, monkeypatch, step, phase):
    caller = make_caller()
    share = make_share(cw.world, caller)
    cw.hypervisor.add_guest("web", project_id=caller.project_id)
    cw.report()
    cw.hypervisor.fail["ensure_attached"] = DriverError("no")
    _die_at(monkeypatch, "attachment.attach", step, phase)
    new = NewAttachment(share_id=share.id, vm="web")
    assert _survives(cw, lambda: attachments.attach(cw.world.service, caller, new))
    (found,) = attachments.find_all(cw.world.service, caller, attachments.AttachmentFilter())
    assert (found.state, found.error) == ("error", "no")
    _clean(cw, caller, share)
