"""Attachments from the request to the device and back, in memory, on both databases."""

import pytest

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound, OverQuota
from roadstead.model.hosts import DeviceRef
from roadstead.service import access, attachments, shares
from roadstead.service.access import NewRule
from roadstead.store import drift
from tests.factories import make_caller, make_share
from tests.unit.ops.compute_world import STORAGE_ADDRESS, make_compute_world


@pytest.fixture
def far(database_url):
    """The compute host gets at shares over the network only."""
    made = make_compute_world(database_url, local=False)
    yield made
    made.world.close()


def _vm(cw, caller, name="web", **more):
    vm = cw.hypervisor.add_guest(name, project_id=caller.project_id, **more)
    cw.report()
    return vm


def _rules(cw, caller, share):
    found = access.find_all(cw.world.service, caller, share.id, access.RuleFilter())
    return {r.access_to: (r.access_level, r.state) for r in found}


def _marks(cw):
    return sorted(m.kind for m in cw.mounts.inventory()), [m.id for m in cw.hypervisor.inventory()]


def test_a_share_is_plugged_into_a_running_vm_and_taken_back(cw):
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    assert (made.state, made.driver, made.tag, made.vm_id) == ("active", "virtiofs", share.id, vm)
    assert _marks(cw) == (["bind", "mount"], [made.id])
    assert _rules(cw, caller, share) == {}  # its bytes are on this host
    cw.detach(caller, made)
    assert _marks(cw) == ([], [])
    with pytest.raises(NotFound):
        attachments.get(cw.world.service, caller, made.id)


def test_a_vm_that_is_off_has_it_at_its_next_start(cw):
    """H-I5, H-I12"""
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller, running=False)
    made = cw.attach(caller, share, vm)
    assert made.state == "inactive"
    cw.hypervisor.start(vm)
    cw.look()
    assert attachments.get(cw.world.service, caller, made.id).state == "active"
    cw.hypervisor.stop(vm)
    cw.look()
    assert attachments.get(cw.world.service, caller, made.id).state == "inactive"


def test_the_compute_host_gets_a_rule_of_its_own_and_keeps_it_for_the_second_vm(far):
    """H-I1, H-I11"""
    caller = make_caller()
    share = make_share(far.world, caller)
    _vm(far, caller, "one")
    _vm(far, caller, "two")
    first, second = far.attach(caller, share, "one"), far.attach(caller, share, "two")
    assert (first.state, second.state) == ("active", "active")
    assert _rules(far, caller, share) == {STORAGE_ADDRESS: ("rw", "active")}
    far.detach(caller, first)
    assert _rules(far, caller, share) == {STORAGE_ADDRESS: ("rw", "active")}
    assert _marks(far) == (["bind", "mount"], [second.id])
    far.detach(caller, second)
    assert _rules(far, caller, share) == {}
    assert _marks(far) == ([], [])


def test_a_read_only_grant_grows_when_somebody_writes(far):
    caller = make_caller()
    share = make_share(far.world, caller)
    _vm(far, caller, "one")
    _vm(far, caller, "two")
    far.attach(caller, share, "one", access_level="ro")
    assert _rules(far, caller, share) == {STORAGE_ADDRESS: ("ro", "active")}
    assert far.attach(caller, share, "two").state == "active"
    assert _rules(far, caller, share) == {STORAGE_ADDRESS: ("rw", "active")}


def test_the_users_own_rule_for_the_host_is_adopted_and_left(far):
    caller = make_caller()
    share = make_share(far.world, caller)
    access.allow(
        far.world.service, caller, share.id, NewRule(access_type="ip", access_to=STORAGE_ADDRESS)
    )
    _vm(far, caller)
    made = far.attach(caller, share, "web")
    far.detach(caller, made)
    assert _rules(far, caller, share) == {STORAGE_ADDRESS: ("rw", "active")}


def test_the_rule_that_holds_an_attachment_up_cannot_be_removed(far):
    """H-M2"""
    caller = make_caller()
    share = make_share(far.world, caller)
    _vm(far, caller)
    far.attach(caller, share, "web")
    (rule,) = access.find_all(far.world.service, caller, share.id, access.RuleFilter())
    with pytest.raises(Forbidden, match="attach"):
        access.deny(far.world.service, caller, share.id, rule.id)
    with pytest.raises(Forbidden, match="attach"):
        access.update_level(far.world.service, caller, rule.id, "ro")


def test_a_share_with_attachments_is_not_deleted(cw):
    """H-M2"""
    caller = make_caller(admin=True)
    share = make_share(cw.world, caller)
    _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    for delete in (shares.delete, shares.force_delete):
        with pytest.raises(Forbidden, match=f"{made.id} .VM web"):
            delete(cw.world.service, caller, share.id)
    assert shares.get(cw.world.service, caller, share.id).status == "available"


@pytest.mark.parametrize("admin", [False, True])
def test_only_shares_of_the_vms_own_project(cw, admin):
    """The project of the VM comes from its hypervisor."""
    mine, other = make_caller(admin=admin), make_caller()
    share = make_share(cw.world, mine)
    _vm(cw, other)
    with pytest.raises(Forbidden if admin else NotFound):
        cw.attach(mine, share, "web")


def test_a_vm_that_nobody_labelled_is_for_administrators(cw):
    caller, admin = make_caller(), make_caller(admin=True)
    cw.hypervisor.add_guest("bare", project_id=None)
    cw.report()
    with pytest.raises(NotFound):
        cw.attach(caller, make_share(cw.world, caller), "bare")
    assert cw.attach(admin, make_share(cw.world, admin), "bare").state == "active"


def test_what_stands_against_a_hot_attachment_is_said_with_its_fix(cw):
    """H-I4, H-I5"""
    caller = make_caller()
    share = make_share(cw.world, caller)
    _vm(cw, caller, "full", ports=0)
    with pytest.raises(Conflict, match=r"port is free .*pcie-root-port.*cold"):
        cw.attach(caller, share, "full")
    assert cw.attach(caller, share, "full", cold=True).state == "inactive"
    _vm(cw, caller, "private", shared_memory=False)
    with pytest.raises(Conflict, match=r"no shared memory.*memoryBacking"):
        cw.attach(caller, share, "private", driver="virtiofs")
    with pytest.raises(Conflict, match=r"9p devices cannot be plugged"):
        cw.attach(caller, share, "private")


def test_tags_and_shares_are_unique_in_a_vm(cw):
    """H-I3"""
    caller = make_caller()
    one, two = make_share(cw.world, caller), make_share(cw.world, caller)
    _vm(cw, caller)
    cw.attach(caller, one, "web", tag="data")
    with pytest.raises(Conflict):
        cw.attach(caller, one, "web", tag="more")
    with pytest.raises(Conflict):
        cw.attach(caller, two, "web", tag="data")
    with pytest.raises(BadRequest):
        cw.attach(caller, two, "web", tag="x" * 37)


def test_cache_always_is_refused(cw):
    """H-S2"""
    caller = make_caller()
    share = make_share(cw.world, caller)
    _vm(cw, caller)
    with pytest.raises(BadRequest, match="second writer"):
        cw.attach(caller, share, "web", cache="always")


def test_quota(database_url):
    cw = make_compute_world(database_url, attachments_per_project=1)
    caller = make_caller()
    one, two = make_share(cw.world, caller), make_share(cw.world, caller)
    _vm(cw, caller)
    cw.attach(caller, one, "web")
    with pytest.raises(OverQuota):
        cw.attach(caller, two, "web")
    cw.world.close()


def test_a_9p_device_stays_until_the_vm_stops(cw):
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller, running=False)
    made = cw.attach(caller, share, "web", driver="9p")
    assert len(made.tag) <= 31
    cw.hypervisor.start(vm)
    cw.look()
    cw.detach(caller, made)
    assert attachments.get(cw.world.service, caller, made.id).state == "detaching"
    assert _marks(cw)[0] == ["bind", "mount"]
    cw.hypervisor.stop(vm)
    cw.settle()
    assert _marks(cw) == ([], [])


def test_a_detach_that_begins_while_the_sweep_looks_is_not_shown_as_ended(cw, monkeypatch):
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    cw.hypervisor.stop(vm)
    cw.report()
    cw.world.engine.stop()

    def remove(*_given):  # after the rows were read, before anything is settled
        cw.detach(caller, made)
        return 0

    monkeypatch.setattr(cw.sweep._leftovers, "remove", remove)
    cw.sweep.run()
    assert attachments.get(cw.world.service, caller, made.id).state == "detaching"


def test_a_dead_daemon_is_told_and_mended_at_the_next_start(cw):
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    cw.hypervisor.kill_daemon(made.id)
    cw.look()
    broken = attachments.get(cw.world.service, caller, made.id)
    assert broken.state == "broken"
    assert "Stop the VM and start it again" in str(broken.error)
    cw.hypervisor.stop(vm)
    cw.hypervisor.start(vm)
    cw.look()
    mended = attachments.get(cw.world.service, caller, made.id)
    assert (mended.state, mended.error) == ("active", None)


def test_an_undefined_vm_loses_its_attachments(cw):
    """H-I12"""
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller)
    cw.attach(caller, share, "web")
    cw.hypervisor.remove(vm)
    cw.look()
    assert attachments.find_all(cw.world.service, caller, attachments.AttachmentFilter()) == []
    assert _marks(cw) == ([], [])


def test_what_a_reboot_took_is_made_again_while_the_vm_is_off(far):
    """H-I12"""
    caller = make_caller()
    share, vm = make_share(far.world, caller), _vm(far, caller, running=False)
    made = far.attach(caller, share, "web")
    far.mounts.ensure_unbound(made.id)
    far.mounts.ensure_unmounted(share.instance_id, "rw")
    far.look()
    assert _marks(far) == (["bind", "mount"], [made.id])
    far.hypervisor.start(vm)
    far.look()
    assert attachments.get(far.world.service, caller, made.id).state == "active"


def test_a_running_vm_that_lost_its_device_gets_it_back(cw):
    """And is never told that it has not: it stays active."""
    caller = make_caller()
    share, vm = make_share(cw.world, caller), _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    cw.hypervisor.ensure_detached(DeviceRef(attachment_id=made.id, vm_id=vm))
    cw.look()
    assert attachments.get(cw.world.service, caller, made.id).state == "active"
    assert _marks(cw) == (["bind", "mount"], [made.id])


def test_leftovers_of_nobody_are_removed_and_told(cw):
    caller = make_caller()
    share = make_share(cw.world, caller)
    _vm(cw, caller)
    made = cw.attach(caller, share, "web")
    with cw.world.db.write() as tx:
        from roadstead.store import attachments as store

        store.delete(tx, made)
    assert cw.look() == 3
    assert _marks(cw) == ([], [])
    with cw.world.db.read() as tx:
        kinds = [(d["kind"], d["resource_type"]) for d in drift.find_all(tx)]
    assert kinds == [("leaked", "attachment")] * 3


def test_a_failed_attachment_leaves_nothing_but_its_reason(far):
    """H-I2: undone in reverse, the rule too."""
    from roadstead.model.errors import DriverError

    caller = make_caller()
    share = make_share(far.world, caller)
    _vm(far, caller)
    far.hypervisor.fail["ensure_attached"] = DriverError("no")
    made = far.attach(caller, share, "web")
    assert (made.state, made.error) == ("error", "no")
    assert _marks(far) == ([], [])
    assert _rules(far, caller, share) == {}
    far.hypervisor.fail.clear()
    far.detach(caller, made)
    assert far.attach(caller, share, "web").state == "active"
