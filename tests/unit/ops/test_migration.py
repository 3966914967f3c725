"""A VM with attachments goes to another host: two compute hosts in memory, on both databases.

H-I10, H-M4
"""

import datetime

import pytest

from roadstead.drivers.hypervisor.memory import HOST as OLD
from roadstead.model.errors import Conflict, DriverError, NotFound
from roadstead.ops import attachments as recipes
from roadstead.ops import fault
from roadstead.service import access, attachments, vm_moves
from roadstead.service.attachments import AttachmentFilter
from roadstead.store import attachments as store
from roadstead.store import drift, operations, vms
from roadstead.store.db import utcnow
from tests.factories import HOST, make_caller, make_share
from tests.unit.ops.two_hosts import TARGET, TwoHosts, make_two_hosts

ADMIN = make_caller(admin=True)
READY = ["bind", "mount"]
PLUGGED = ["bind", "device", "mount"]


class Killed(BaseException):
    """The process is gone."""


class Case:
    """A VM with one share, on the source."""

    def __init__(self, url: str, *, driver: str = "virtiofs", running: bool = True, **hosts):
        self.two: TwoHosts = make_two_hosts(url, **hosts)
        self.caller = make_caller()
        self.share = make_share(self.two.world, self.caller)
        source = self.two.source
        # As off: 9p does not go into a running one.
        self.vm = source.hypervisor.add_guest(
            "web", project_id=self.caller.project_id, running=driver != "9p" and running
        )
        self.two.look()
        self.made = self.two.attach(self.caller, self.share, "web", driver=driver)
        if driver == "9p" and running:
            source.hypervisor.start(self.vm)
        self.two.look()

    def now(self):
        return attachments.get(self.two.world.service, self.caller, self.made.id)

    def at(self):
        """(state, host, target host) of the attachment."""
        found = self.now()
        return found.state, found.host, found.target_host

    def rules(self):
        service = self.two.world.service
        found = access.find_all(service, self.caller, self.share.id, access.RuleFilter())
        return sorted(rule.access_to for rule in found)

    def prepare(self):
        found = vm_moves.prepare(self.two.world.service, ADMIN, self.vm, TARGET)
        self.two.settle()
        return found

    def cancel(self):
        return vm_moves.cancel(self.two.world.service, ADMIN, self.vm)

    def against(self):
        found = vm_moves.placement(self.two.world.service, ADMIN, self.vm)
        return {host.host: reasons for host, reasons in found}[TARGET]

    def arrive(self, *, undefine=True):
        """The VM goes over, as virsh migrate has it."""
        source, target = self.two.hosts
        target.hypervisor.receive(self.vm, source.hypervisor)
        self.two.look()
        assert self.at() == ("active", HOST, TARGET)
        assert (source.marks(), target.marks()) == (PLUGGED, READY)
        target.hypervisor.take_over(self.vm)
        (source.hypervisor.remove if undefine else source.hypervisor.stop)(self.vm)


@pytest.fixture
def make_case(database_url):
    made: list[Case] = []

    def make(**options) -> Case:
        made.append(Case(database_url, **options))
        return made[-1]

    yield make
    for case in made:
        case.two.world.close()


@pytest.mark.parametrize("undefine", [True, False], ids=["undefined", "still-defined"])
def test_the_target_has_the_share_first_and_the_source_gives_it_back_after(make_case, undefine):
    case = make_case()
    assert case.against() == []
    case.prepare()
    assert case.at() == ("active", HOST, TARGET)
    assert case.two.target.marks() == READY
    assert case.rules() == ["192.0.2.50", "192.0.2.60"]
    case.two.look()  # nobody takes away what is ready
    assert case.two.target.marks() == READY
    case.arrive(undefine=undefine)
    case.two.look()
    assert case.at() == ("active", TARGET, None)
    assert (case.two.source.marks(), case.two.target.marks()) == ([], PLUGGED)
    assert case.rules() == ["192.0.2.60"]


def test_and_back_again(make_case):
    case = make_case()
    case.prepare()
    case.arrive()
    case.two.look()
    source, target = case.two.hosts
    vm_moves.prepare(case.two.world.service, ADMIN, case.vm, HOST)
    case.two.settle()
    source.hypervisor.receive(case.vm, target.hypervisor)
    source.hypervisor.take_over(case.vm)
    target.hypervisor.remove(case.vm)
    case.two.look()
    assert case.at() == ("active", HOST, None)
    assert (source.marks(), target.marks()) == (PLUGGED, [])


def test_without_preparation_the_vm_does_not_start_there(make_case):
    case = make_case()
    with pytest.raises(NotFound, match="mounted"):
        case.two.target.hypervisor.receive(case.vm, case.two.source.hypervisor)


@pytest.mark.parametrize("order", ["source-first", "target-first"])
def test_whoever_looks_first_after_the_migration(make_case, order):
    """The VM is at neither host for the one that looks: nothing is detached."""
    case = make_case()
    case.prepare()
    source, target = case.two.hosts
    target.hypervisor.receive(case.vm, source.hypervisor)
    target.hypervisor.take_over(case.vm)
    source.hypervisor.remove(case.vm)
    for host in case.two.hosts if order == "source-first" else case.two.hosts[::-1]:
        host.report()
        host.sweep.run()
    case.two.look()
    assert case.at() == ("active", TARGET, None)
    with case.two.world.db.read() as tx:
        assert not any(row["action"] == "detached" for row in drift.find_all(tx, limit=100))


def test_the_target_waits_with_taking_over_until_the_vm_runs_there(make_case):
    """What comes in is not there yet: the migration can still fail."""
    case = make_case()
    case.prepare()
    source, target = case.two.hosts
    target.hypervisor.receive(case.vm, source.hypervisor)
    case.two.look()
    assert case.at() == ("active", HOST, TARGET)
    target.hypervisor.remove(case.vm)  # it failed
    case.two.look()
    assert case.at() == ("active", HOST, TARGET)
    assert (source.marks(), target.marks()) == (PLUGGED, READY)


def test_a_cancelled_migration_leaves_nothing_on_the_target(make_case):
    case = make_case()
    case.prepare()
    case.cancel()
    case.two.look()
    assert case.at() == ("active", HOST, None)
    assert (case.two.source.marks(), case.two.target.marks()) == (PLUGGED, [])
    assert case.rules() == ["192.0.2.50"]
    case.cancel()  # is no error


def test_a_cancelled_migration_that_went_on_takes_nothing_from_the_vm(make_case):
    case = make_case()
    case.prepare()
    case.two.target.hypervisor.receive(case.vm, case.two.source.hypervisor)
    case.cancel()
    case.two.look()
    assert (case.two.source.marks(), case.two.target.marks()) == (PLUGGED, READY)
    case.two.target.hypervisor.take_over(case.vm)
    case.two.source.hypervisor.remove(case.vm)
    case.two.look()
    assert case.rules() == ["192.0.2.60"]
    assert case.at() == ("active", TARGET, None)
    assert (case.two.source.marks(), case.two.target.marks()) == ([], PLUGGED)


def test_a_vm_that_is_off_moves_with_its_definition(make_case):
    """A cold migration needs neither new programs nor preparation."""
    case = make_case(running=False, source=OLD, target=OLD)
    assert case.at() == ("inactive", HOST, None)
    source, target = case.two.hosts
    target.hypervisor.receive(case.vm, source.hypervisor)
    target.hypervisor.take_over(case.vm)
    case.two.look()
    source.hypervisor.remove(case.vm)
    case.two.look(3)
    assert case.at() == ("inactive", TARGET, None)
    assert (source.marks(), target.marks()) == ([], PLUGGED)
    assert case.rules() == ["192.0.2.60"]


def test_a_vm_that_is_deleted_while_its_migration_is_prepared_is_detached(make_case, monkeypatch):
    case = make_case()
    case.prepare()
    case.two.source.hypervisor.remove(case.vm)
    case.two.look()
    assert case.at() == ("active", HOST, TARGET)  # it might be on its way
    later = utcnow() + datetime.timedelta(seconds=15)
    monkeypatch.setattr(vms, "utcnow", lambda: later)
    case.two.look()
    assert attachments.find_all(case.two.world.service, case.caller, AttachmentFilter()) == []
    assert case.two.source.marks() == case.two.target.marks() == []
    assert case.rules() == []


def test_detaching_gives_up_what_was_prepared(make_case):
    case = make_case()
    case.prepare()
    attachments.detach(case.two.world.service, case.caller, case.made.id)
    case.two.settle()
    case.two.look()
    assert case.two.source.marks() == case.two.target.marks() == []
    assert case.rules() == []


def test_the_mount_of_the_target_stays_for_another_vm(make_case):
    """Cancelled or not: who needs a mount is computed from rows."""
    case = make_case()
    case.two.target.hypervisor.add_guest("db", project_id=case.caller.project_id)
    case.two.look()
    case.two.attach(case.caller, case.share, "db")
    case.prepare()
    case.cancel()
    case.two.look()
    assert case.two.target.marks() == PLUGGED
    assert case.rules() == ["192.0.2.50", "192.0.2.60"]


def test_detaching_the_other_vm_leaves_the_target_ready(make_case):
    case = make_case()
    case.two.target.hypervisor.add_guest("db", project_id=case.caller.project_id)
    case.two.look()
    other = case.two.attach(case.caller, case.share, "db")
    case.prepare()
    attachments.detach(case.two.world.service, case.caller, other.id)
    case.two.settle()
    case.two.look()
    assert case.two.target.marks() == READY
    assert case.rules() == ["192.0.2.50", "192.0.2.60"]


# --- what stands against it -------------------------------------------------------------------


def test_9p_does_not_migrate(make_case):
    case = make_case(driver="9p")
    (reason,) = case.against()
    assert "9p" in reason
    with pytest.raises(Conflict, match="9p"):
        case.prepare()
    case.two.source.hypervisor.stop(case.vm)
    case.two.look()
    assert case.against() == []  # while it is off it can


def test_old_programs_on_either_side_are_named(make_case):
    assert make_case(target=OLD).against() == [
        "there is nowhere to go",
        "it has /memory/virtiofsd, and host node1 has /usr/libexec/virtiofsd: they must be the "
        "same",
    ]
    assert "on host node1: there is nowhere to go" in make_case(source=OLD).against()


def test_a_share_that_the_target_cannot_mount(make_case):
    case = make_case(nfs=None, backends={})
    (reason,) = case.against()
    assert "no NFS client" in reason
    assert case.share.id in reason
    with pytest.raises(Conflict, match="no NFS client"):
        case.prepare()


def test_a_target_without_nfs_that_has_the_share_itself(make_case):
    case = make_case(nfs=None, local_mounts=True)
    assert case.against() == []


def test_a_target_whose_agent_is_down(make_case, monkeypatch):
    case = make_case()
    later = utcnow() + datetime.timedelta(seconds=90)
    monkeypatch.setattr(attachments, "utcnow", lambda: later)
    assert case.against() == ["its agent does not report"]


def test_words(make_case):
    case = make_case()
    service = case.two.world.service
    with pytest.raises(NotFound, match="node9"):
        vm_moves.prepare(service, ADMIN, case.vm, "node9")
    with pytest.raises(Conflict, match="already"):
        vm_moves.prepare(service, ADMIN, case.vm, HOST)
    case.prepare()
    case.prepare()  # again is no error
    with pytest.raises(Conflict, match="about to migrate"):
        case.two.attach(case.caller, make_share(case.two.world, case.caller), "web")


# --- failure and death ------------------------------------------------------------------------


def test_what_fails_leaves_the_attachment_as_it_is(make_case):
    case = make_case()
    case.two.target.mounts.fail["ensure_mounted"] = DriverError("no such server")
    (started,) = case.prepare().attachments
    assert case.at() == ("active", HOST, None)
    assert case.two.target.marks() == []
    assert case.rules() == ["192.0.2.50"]
    with case.two.world.db.read() as tx:
        found = operations.find(tx, started[1])
    assert found is not None
    assert (found[0].state, found[0].error) == ("failed", "no such server")


def _die_at(monkeypatch, step, phase):
    def point(*here):
        if here == ("attachment.prepare", step, phase):
            monkeypatch.setattr(fault, "point", lambda *_: None)
            raise Killed

    monkeypatch.setattr(fault, "point", point)


def _prepare_until_killed(case):
    try:
        case.prepare()
    except Killed:
        case.two.restart()
        return
    pytest.fail("the point was not reached")


def _points(*phases):
    return [(step.name, phase) for step in recipes.PREPARE.steps for phase in phases]


@pytest.mark.parametrize(("step", "phase"), _points("before", "effect", "journal"))
def test_killed_while_it_prepares(make_case, monkeypatch, step, phase):
    case = make_case()
    _die_at(monkeypatch, step, phase)
    _prepare_until_killed(case)
    assert case.at() == ("active", HOST, TARGET)
    assert case.two.target.marks() == READY
    case.arrive()
    case.two.look()
    assert case.at() == ("active", TARGET, None)
    assert case.two.source.marks() == []
    assert case.rules() == ["192.0.2.60"]


@pytest.mark.parametrize(("step", "phase"), _points("undo-before", "undo-effect", "undo-journal"))
def test_killed_while_it_undoes(make_case, monkeypatch, step, phase):
    case = make_case()
    case.two.target.mounts.fail["ensure_bound"] = DriverError("no")
    _die_at(monkeypatch, step, phase)
    _prepare_until_killed(case)
    assert case.at() == ("active", HOST, None)
    assert case.two.target.marks() == []
    assert case.two.source.marks() == PLUGGED
    assert case.rules() == ["192.0.2.50"]


def test_killed_before_the_row_is_taken_over(make_case, monkeypatch):
    case = make_case()
    case.prepare()
    case.arrive()
    real = store.update

    def update(*args, **values):
        if values.get("host"):
            monkeypatch.setattr(store, "update", real)
            raise Killed
        real(*args, **values)

    monkeypatch.setattr(store, "update", update)
    with pytest.raises(Killed):
        case.two.look()
    case.two.restart()
    case.two.look()
    assert case.at() == ("active", TARGET, None)
    assert (case.two.source.marks(), case.two.target.marks()) == ([], PLUGGED)
