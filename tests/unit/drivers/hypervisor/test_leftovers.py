"""What a crash may leave of a hypervisor's daemons is found and ended."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench, ref
from roadstead.drivers.hypervisor.libvirt import daemon
from roadstead.drivers.hypervisor.libvirt.driver import LibvirtHypervisor
from roadstead.model import hosts as h
from roadstead.model.errors import DriverError, InUse, Transient
from roadstead.model.ids import new_id
from tests.lab.process import spawn, stop

if TYPE_CHECKING:
    from tests.conformance.libvirt_lab import LibvirtLab

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("libvirt-guest")]


# H-I12
def test_a_daemon_without_a_vm_is_found_and_ended(bench: HypervisorBench, tmp_path: Path) -> None:
    spec = bench.spec(new_id())
    found = daemon.find()
    assert found is not None
    socket = f"--socket-path={tmp_path}/s"
    left = spawn([found.path, socket, "-o", f"source={spec.source},sandbox=chroot"])
    try:
        while not (marks := [m for m in bench.driver.inventory() if m.kind == "virtiofsd"]):
            assert left.poll() is None
        (mark,) = marks
        assert (mark.id, mark.broken) == (spec.attachment_id, "it serves no running VM")
        with pytest.raises(InUse):
            bench.mounts.ensure_unbound(spec.attachment_id)
        bench.driver.ensure_detached(ref(spec))
        assert list(bench.driver.inventory()) == []
        bench.mounts.ensure_unbound(spec.attachment_id)
    finally:
        stop(left)


def test_daemons_of_others_are_left_alone(
    bench: HypervisorBench, lab: LibvirtLab, tmp_path: Path
) -> None:
    spec = bench.spec(bench.vm())
    bench.driver.ensure_attached(spec)
    stranger = LibvirtHypervisor(
        LibvirtHypervisor.Options(
            uri=lab.libvirtd.uri, directory=str(tmp_path), mounts=str(tmp_path / "compute")
        )
    )
    assert [mark.kind for mark in stranger.inventory()] == ["device"]
    assert bench.where(spec) == "both"


def test_without_libvirt_everything_is_to_be_tried_again(
    bench: HypervisorBench, tmp_path: Path
) -> None:
    nowhere = LibvirtHypervisor(
        LibvirtHypervisor.Options(
            uri=f"qemu+unix:///system?socket={tmp_path}/none",
            directory=str(tmp_path),
            mounts=str(tmp_path / "compute"),
        )
    )
    spec = bench.spec(new_id())
    for call in (
        nowhere.capabilities,
        nowhere.guests,
        lambda: nowhere.find_guest("x"),
        lambda: nowhere.why_not(spec),
        lambda: nowhere.ensure_detached(ref(spec)),
        lambda: list(nowhere.inventory()),
        lambda: nowhere.wait_for_change(0, 1),
    ):
        with pytest.raises(Transient, match="cannot be reached"):
            call()


# H-I7
def test_what_lies_beneath_a_mount_is_never_handed_over(
    bench: HypervisorBench, lab: LibvirtLab
) -> None:
    """As when libvirtd has a mount namespace that later mounts do not reach."""
    spec = bench.spec(bench.vm())
    unseen = ["umount", "--lazy", spec.source]
    lab.libvirtd.inside(["mount", "--make-private", spec.source])
    lab.libvirtd.inside(unseen)
    with pytest.raises(DriverError, match="does not see"):
        bench.driver.ensure_attached(spec)
    assert bench.where(spec) is None
    bench.mounts.ensure_unbound(spec.attachment_id)


# H-I12
def test_a_vm_that_started_before_its_share_was_mounted(
    bench: HypervisorBench, lab: LibvirtLab
) -> None:
    """As after a reboot of the host."""
    vm = bench.vm(running=False)
    spec = bench.spec(vm)
    bench.driver.ensure_attached(spec)
    subprocess.run(["umount", spec.source], check=True)
    bench.start(vm)
    mark = bench.mark(spec)
    assert mark is not None
    assert mark.broken
    assert "not mounted" in mark.broken
    mount = str(Path(spec.source).parent.parent / "mount")
    bind = h.BindSpec(attachment_id=spec.attachment_id, mount=mount, read_only=False)
    assert bench.mounts.ensure_bound(bind) == spec.source
    mark = bench.mark(spec)
    assert mark is not None
    assert mark.broken
    bench.stop(vm)
    bench.start(vm)
    assert bench.where(spec) == "both"
