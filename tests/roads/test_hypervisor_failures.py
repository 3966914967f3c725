"""VMs, daemons, libvirtd, the agent and the host come and go; attachments follow."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.host import mounts
from tests.conformance.libvirt_lab import end
from tests.lab.process import stop
from tests.lab.requirements import LabError
from tests.roads.hypervisor import Hypervised, mount, v1
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.domain import Domain

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("hypervisor-failures")]
ROAD = Hypervised
SOON = 10.0  # seconds for what is watched, not looked for


@pytest.fixture(scope="module")
def vm(hv: Hypervised) -> Domain:
    """A guest that every test leaves running."""
    return hv.domain(name="vm", numa=True)


@pytest.fixture
def share(hv: Hypervised) -> str:
    return hv.share()


@pytest.fixture
def attached(hv: Hypervised, vm: Domain, share: str) -> Iterator[str]:
    """The id of an attachment that the guest has mounted."""
    made = hv.attach(share, vm)
    mount(vm, made)
    vm.sh("echo before > /mnt/share/file")
    yield made["id"]
    if hv.attachment(made["id"]):
        vm.sh("umount -l /mnt/share", check=False)
        hv.detach(made["id"])


def _mounted_again(hv: Hypervised, vm: Domain, attachment: str, text: str) -> None:
    """The started guest has the share again, with this in its file."""
    mount(vm, hv.wait_attachment(attachment, "active"))
    assert vm.sh("cat /mnt/share/file").output == text


def test_a_vm_stops_and_starts(hv: Hypervised, vm: Domain, attached: str) -> None:
    """H-I12: by its own shutdown."""
    vm.start("sync; poweroff -f")
    hv.wait_attachment(attached, "inactive", seconds=SOON)
    until(lambda: not hv.daemons(attached), "its daemon has ended")
    vm.power_off()
    vm.power_on()
    _mounted_again(hv, vm, attached, "before\n")


def test_a_vm_dies(hv: Hypervised, vm: Domain, attached: str) -> None:
    """H-I12: QEMU by SIGKILL."""
    end(hv.qemu(vm))
    hv.wait_attachment(attached, "inactive", seconds=SOON)
    until(lambda: not hv.daemons(attached), "its daemon has ended")
    vm.power_off()
    vm.power_on()
    _mounted_again(hv, vm, attached, "before\n")


def test_a_vm_that_is_undefined_takes_everything_with_it(hv: Hypervised, share: str) -> None:
    """H-I12, H-M2: then the share can go, too."""
    gone = hv.domain(name="gone")
    made = hv.attach(share, gone)
    mount(gone, made)
    gone.close()
    hv.wait_gone(made["id"], seconds=SOON)
    until(lambda: not hv.left(made["id"]), "nothing of it is left")
    assert f"{hv.instance(share)}/rw" not in hv.mounted()
    hv.api.delete_share(share)


def test_libvirtd_dies_and_comes_back(hv: Hypervised, vm: Domain, attached: str) -> None:
    """H-I12: the VM goes on meanwhile, and what is asked for then is done afterwards. libvirt 9
    forgets then that a VM without NUMA cells shares its memory: its user is told what to do."""
    plain = hv.domain(name="plain")
    hv.libvirtd.kill()
    vm.sh("echo while >> /mnt/share/file")
    asked = {"share_id": hv.share(), "vm": vm.id}
    made = v1(hv.api, "POST", "/attachments", {"attachment": asked})["attachment"]
    assert made["state"] == "attaching"
    hv.libvirtd.start()
    second = hv.wait_attachment(made["id"], "active")
    mount(vm, second, "/mnt/second")
    assert hv.shown(attached)["state"] == "active"
    assert vm.sh("cat /mnt/share/file").output == "before\nwhile\n"
    vm.sh("umount /mnt/second")
    hv.detach(second["id"])
    try:
        third = hv.attach(second["share_id"], plain)
    except AssertionError as refused:
        assert "Restart the VM" in str(refused)  # noqa: PT017
    else:
        hv.detach(third["id"])
    plain.close()


def test_a_daemon_dies_under_a_running_vm(hv: Hypervised, vm: Domain, attached: str) -> None:
    """Told within seconds with what to do; only the VM's next start mends it. H-I12"""
    other = hv.attach(hv.share(), vm)
    mount(vm, other, "/mnt/other")
    _kill_daemon(hv, attached)
    broken = hv.wait_attachment(attached, "broken", seconds=SOON)
    assert "Stop the VM and start it again" in broken["error"]
    # The one beside it does not notice.
    vm.sh("echo well > /mnt/other/file")
    assert hv.shown(other["id"])["state"] == "active"
    hv.detach(other["id"])
    vm.power_off()
    hv.wait_attachment(attached, "inactive")
    vm.power_on()
    _mounted_again(hv, vm, attached, "before\n")
    assert hv.shown(attached)["error"] is None


def test_a_broken_one_can_be_detached(hv: Hypervised, vm: Domain, share: str) -> None:
    """Also without any restart of the VM."""
    made = hv.attach(share, vm)
    _kill_daemon(hv, made["id"])
    hv.wait_attachment(made["id"], "broken", seconds=SOON)
    hv.detach(made["id"])
    assert hv.left(made["id"]) == []


def test_the_agent_dies_while_a_guest_writes(hv: Hypervised, vm: Domain, attached: str) -> None:
    """H-I12: the guest does not notice; what was answered while no agent lived is done."""
    writing = vm.start("for i in $(seq 1 300); do echo $i || exit 1; done >> /mnt/share/file")
    hv.service.kill_agent()
    asked = {"share_id": hv.share(), "vm": vm.id}
    made = v1(hv.api, "POST", "/attachments", {"attachment": asked})["attachment"]
    assert vm.result(writing).rc == 0
    second = hv.wait_attachment(made["id"], "active")
    assert vm.sh("tail -n 1 /mnt/share/file").output == "300\n"
    hv.service.kill_agent()
    hv.detach(second["id"])
    assert hv.left(second["id"]) == []


def test_the_host_reboots(hv: Hypervised, vm: Domain, attached: str) -> None:
    """H-I12: mounts and views are there again before the VM is; one that starts too early does
    not start, rather than getting the host's empty directory."""
    vm.power_off()
    hv.wait_attachment(attached, "inactive")
    before = hv.left(attached)
    _reboot(hv)
    assert hv.left(attached) == []
    with pytest.raises(LabError):
        vm.power_on()
    vm.power_off()
    hv.service.start()
    until(lambda: hv.left(attached) == before, "its view is there again")
    assert hv.shown(attached)["state"] == "inactive"
    vm.power_on()
    _mounted_again(hv, vm, attached, "before\n")


def test_leftovers_of_no_attachment_go(hv: Hypervised, vm: Domain) -> None:
    """H-I12: a view and a mount that no row needs, as of a backup that was put back."""
    share = hv.share()
    made = hv.attach(share, vm)
    with hv.database() as database:
        database.execute("DELETE FROM attachments WHERE id = ?", (made["id"],))
    until(lambda: not hv.left(made["id"]), "nothing of it is left")
    until(lambda: f"{hv.instance(share)}/rw" not in hv.mounted(), "the share is unmounted")
    drift = v1(hv.admin, "GET", "/drift")["drift"]
    assert ("leaked", "attachment") in {(d["kind"], d["resource_type"]) for d in drift}


def _kill_daemon(hv: Hypervised, attachment_id: str) -> None:
    for pid in hv.daemons(attachment_id):
        with contextlib.suppress(ProcessLookupError):  # its parent's death may have taken it
            os.kill(pid, signal.SIGKILL)


def _reboot(hv: Hypervised) -> None:
    """No process and no mount of the service or of libvirt is left, nor what /run had; libvirtd
    runs again and the service does not yet."""
    hv.service.stop()
    libvirtd = hv.libvirtd
    for process in (libvirtd._holder, libvirtd._daemon):
        stop(process, grace=0)
    hv.service.down()
    shutil.rmtree(hv.service.state / "run")
    for name in ("ready", "pid"):
        (libvirtd.directory / name).unlink(missing_ok=True)
    hv.mounts.mkdir(parents=True)
    mounts.ensure_shared(hv.mounts)
    libvirtd._begin()
    libvirtd.start()
