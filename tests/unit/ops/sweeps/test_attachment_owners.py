"""What a compute host's sweep does not know may be another name's, or another database's."""

import datetime

import pytest

from roadstead.ops.grants import Grants
from roadstead.ops.sweeps.attachments import AttachmentSweep
from roadstead.store import attachments as store
from roadstead.store import drift, operations, vms
from roadstead.store import tables as t
from tests.factories import HOST, make_caller, make_share

NO_GRACE = datetime.timedelta(0)


@pytest.fixture
def attached(cw):
    """(attachment, VM) of a VM that is off."""
    caller = make_caller()
    share = make_share(cw.world, caller)
    vm = cw.hypervisor.add_guest("web", project_id=caller.project_id, running=False)
    cw.report()
    return cw.attach(caller, share, "web"), vm


def _sweep(cw, host: str = HOST, grace: datetime.timedelta = NO_GRACE) -> AttachmentSweep:
    """Of an agent that was just started under that name, on the same hypervisor."""
    compute = cw.compute
    compute.host = host
    grants = Grants(cw.world.db, compute, cw.world.engine)
    return AttachmentSweep(cw.world.db, compute, grants, cw.world.engine.adopt, grace=grace)


def _marks(cw):
    return sorted(m.kind for m in cw.mounts.inventory()), [m.id for m in cw.hypervisor.inventory()]


def _told(cw):
    with cw.world.db.read() as tx:
        return {(d["kind"], d["resource_type"]) for d in drift.find_all(tx)}


def _silent(cw, host: str) -> None:
    """The host has not reported for an hour."""
    with cw.world.db.write() as tx:
        found = vms.host(tx, host)
        assert found is not None
        tx.execute(
            vms.t.compute_hosts.update().values(
                heartbeat_at=found.heartbeat_at - datetime.timedelta(hours=1)
            )
        )


def test_what_a_silent_host_has_attached_is_left_alone(cw, attached):
    """As after a changed name: device, bind and the mount below it."""
    before = _marks(cw)
    _silent(cw, HOST)
    sweep = _sweep(cw, "b")
    for _ in range(2):
        sweep.run()
    assert _marks(cw) == before
    assert _told(cw) == {("misplaced", "device"), ("misplaced", "bind")}


def test_what_a_living_host_has_taken_over_goes(cw, attached):
    """As after a migration; at once."""
    _sweep(cw, "b", datetime.timedelta(seconds=60)).run()
    assert _marks(cw)[1] == []
    assert "bind" not in _marks(cw)[0]


def test_nothing_unknown_goes_at_once(cw, attached):
    made, _ = attached
    before = _marks(cw)
    with cw.world.db.write() as tx:
        store.delete(tx, made)
    _sweep(cw, grace=datetime.timedelta(seconds=60)).run()
    assert _marks(cw) == before
    _sweep(cw).run()
    assert _marks(cw) == ([], [])


def test_a_running_vm_keeps_what_another_database_knows_nothing_of(cw, attached):
    made, vm = attached
    cw.hypervisor.start(vm)
    with cw.world.db.write() as tx:
        store.delete(tx, made)
        tx.execute(t.operations.delete())
        assert operations.known_resources(tx, {made.id}) == set()
    before = _marks(cw)
    sweep = _sweep(cw)
    for _ in range(2):
        sweep.run()
    assert _marks(cw) == before
    assert _told(cw) == {("foreign", "device"), ("foreign", "bind")}
    cw.hypervisor.stop(vm)
    sweep.run()
    assert _marks(cw) == ([], [])
