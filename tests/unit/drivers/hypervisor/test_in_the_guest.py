"""What a real guest sees of the devices, and what it cannot do with them."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench, ref
from roadstead.model import hosts as h
from roadstead.model.ids import new_id
from tests.lab.domain import Domain

if TYPE_CHECKING:
    from tests.conformance.libvirt_lab import LibvirtLab

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("libvirt-guest")]

# name_to_handle_at(2) of argv[1], opened by open_by_handle_at(2) on the mount of argv[2].
BY_HANDLE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int n, char **a) {
  struct file_handle *h = malloc(sizeof *h + 128);
  int id, fd, mount = open(a[2], O_RDONLY);
  char text[64] = "";
  h->handle_bytes = 128;
  if (name_to_handle_at(AT_FDCWD, a[1], h, &id, 0)) { perror("name_to_handle_at"); return 2; }
  fd = open_by_handle_at(mount, h, O_RDONLY);
  if (fd < 0) { perror("open_by_handle_at"); return 3; }
  printf("%zd %s\n", read(fd, text, 63), text);
  return 0;
}
"""


def handed(bench: HypervisorBench, guest: Domain, point: str, **changes: object) -> h.DeviceSpec:
    """A device that the guest has mounted at the point."""
    spec = bench.spec(guest.id, **changes)
    device = bench.driver.ensure_attached(spec)
    mounted = guest.mount(device.mount_command.replace(" /mnt", f" {point}"))
    assert mounted.rc == 0, mounted.output
    return spec


def share_of(bench: HypervisorBench, spec: h.DeviceSpec) -> Path:
    """The share itself, as its pool has it on the host."""
    instance_id = Path(spec.source).parts[-4]
    marks = {m.facts.get("instance_id"): m for m in bench.mounts.inventory() if m.kind == "mount"}
    assert instance_id in marks
    return Path(spec.source).parent.parent / "mount"


def test_a_guest_without_network_writes_and_reads(bench: HypervisorBench, guest: Domain) -> None:
    # H-I1, H-I5
    assert "eth0" not in guest.sh("ls /sys/class/net").output
    spec = handed(bench, guest, "/a")
    share = share_of(bench, spec)
    (share / "from-host").write_text("hello guest")
    assert guest.sh("cat /a/from-host").output == "hello guest"
    guest.sh("echo -n hello host > /a/from-guest; mkdir -p /a/d; sync")
    assert (share / "from-guest").read_text() == "hello host"
    (share / "from-host").write_text("changed, and longer than before")
    assert guest.sh("cat /a/from-host").output == "changed, and longer than before"


def test_the_share_has_its_own_size(bench: HypervisorBench, guest: Domain) -> None:
    handed(bench, guest, "/size")
    assert guest.sh("df -k /size | tail -n 1").output.split()[1] == str(64 << 10)
    full = guest.sh("dd if=/dev/zero of=/size/big bs=1M count=80 2>&1; sync", check=False)
    assert "No space left" in full.output
    # The guest tells the host a moment later that it has forgotten the file.
    guest.sh("rm /size/big; until echo again > /size/small; do sleep 0.05; done")


@pytest.mark.parametrize("driver", ["virtiofs", "9p"])
@pytest.mark.isolation
def test_read_only_holds_whatever_the_guest_says(
    bench: HypervisorBench, lab: LibvirtLab, driver: str
) -> None:
    # H-I6
    vm = bench.vm(running=False)
    spec = bench.spec(vm, driver=driver, read_only=True, bound_read_only=True)
    command = bench.driver.ensure_attached(spec).mount_command
    (share_of(bench, spec) / "file").write_text("kept")
    bench.start(vm)
    guest = lab.domains[vm]
    # The guest's root does not ask for read-only, and insists.
    assert guest.mount(command.replace("ro,", "").replace("-o ro ", "")).rc == 0
    guest.sh("mount -o remount,rw /mnt", check=False)
    for attempt in ("touch /mnt/new", "echo x >> /mnt/file", "rm /mnt/file", "chmod 777 /mnt/file"):
        assert guest.sh(attempt, check=False).rc != 0
    assert guest.sh("cat /mnt/file").output == "kept"
    assert os.listdir(share_of(bench, spec)) == ["file"]


@pytest.mark.parametrize("driver", ["virtiofs", "9p"])
@pytest.mark.isolation
def test_no_name_leads_out_of_the_share(
    bench: HypervisorBench, lab: LibvirtLab, tmp_path: Path, driver: str
) -> None:
    # H-I7
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    vm = bench.vm(running=False)
    spec = bench.spec(vm, driver=driver, ids="passthrough")
    command = bench.driver.ensure_attached(spec).mount_command
    share = share_of(bench, spec)
    (share / "absolute").symlink_to(secret)
    (share / "relative").symlink_to(os.path.relpath(secret, share))
    (share / "up").symlink_to("../../..")
    bench.start(vm)
    guest = lab.domains[vm]
    assert guest.mount(command).rc == 0
    for name in ("absolute", "relative", f"up{secret}", f"..{secret}", f"../../../..{secret}"):
        tried = guest.sh(f"cat /mnt/{name}", check=False)
        assert tried.rc != 0
        assert "the host's" not in tried.output
    # The parent of the root is the guest's own, not the host's directory of attachments.
    assert spec.attachment_id not in guest.sh("ls -a /mnt/.. /mnt/up/", check=False).output
    guest.sh(f"ln -s {secret} /mnt/planted; ln {secret} /mnt/hard", check=False)
    assert guest.sh("cat /mnt/planted /mnt/hard", check=False).rc != 0


@pytest.mark.isolation
def test_a_file_handle_opens_nothing_elsewhere(
    bench: HypervisorBench, guest: Domain, tmp_path: Path
) -> None:
    # H-I7
    (tmp_path / "handle.c").write_text(BY_HANDLE)
    program = tmp_path / "handle"
    subprocess.run(["gcc", "-static", "-o", program, tmp_path / "handle.c"], check=True)
    one, two = handed(bench, guest, "/one"), handed(bench, guest, "/two")
    (share_of(bench, one) / "handle").write_bytes(program.read_bytes())
    (share_of(bench, one) / "handle").chmod(0o755)
    (share_of(bench, one) / "mine").write_text("one's")
    (share_of(bench, two) / "other").write_text("two's")
    (share_of(bench, two) / "mine").write_text("two's as well")
    guest.sh("cp /one/handle /tmp/handle")
    # The guest's kernel knows handles only of what it has open.
    held = "exec 3< /one/mine 4< /two/mine 5< /two/other; /tmp/handle /one/mine"
    assert guest.sh(f"{held} /one").output == "5 one's\n"
    crossed = guest.sh(f"{held} /two", check=False)
    assert "one's" not in crossed.output


@pytest.mark.isolation
def test_what_a_guest_plants_is_harmless_on_the_host(bench: HypervisorBench, guest: Domain) -> None:
    # H-I8
    spec = handed(bench, guest, "/plant")
    guest.sh("cp /bin/busybox /plant/suid; chmod 4755 /plant/suid")
    guest.sh("mknod /plant/null c 1 3; mknod /plant/disk b 254 0", check=False)
    share = share_of(bench, spec)
    assert (share / "suid").stat().st_mode & stat.S_ISUID
    # libvirt's device cgroup may have kept the guest from it; another road may not.
    if not (share / "null").exists():
        os.mknod(share / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for view in (share, Path(spec.source)):
        with pytest.raises(PermissionError):
            (view / "null").open("rb")
        # Not executed at all, so that its setuid bit has no meaning either.
        with pytest.raises(PermissionError):
            subprocess.run([view / "suid", "true"], check=True)


@pytest.mark.isolation
def test_a_file_in_a_group_directory_leaks_no_group(bench: HypervisorBench, guest: Domain) -> None:
    # H-I8, CVE-2022-0358: an executable set-group-ID file of a group its maker is not in.
    spec = handed(bench, guest, "/group")
    guest.sh(
        "mkdir /group/d; chown 0:4242 /group/d; chmod 2777 /group/d; chmod 777 /group;"
        "echo 'user:x:1000:1000::/:/bin/sh' > /etc/passwd;"
        "su user -c 'umask 0; cp /bin/busybox /group/d/f; chmod 2775 /group/d/f'"
    )
    found = (share_of(bench, spec) / "d" / "f").stat()
    assert found.st_gid == 4242
    assert not found.st_mode & stat.S_ISGID


def test_a_device_can_leave_a_guest_that_uses_it(bench: HypervisorBench, guest: Domain) -> None:
    # H-I2
    spec = handed(bench, guest, "/leaving")
    holding = guest.start("exec 5>/leaving/open; sleep 3600 & cd /leaving; sleep 3600")
    guest.sh("until [ -e /leaving/open ]; do sleep 0.05; done")
    bench.driver.ensure_detached(ref(spec))
    after = guest.sh("ls /leaving", check=False)
    assert "not connected" in after.output
    assert not holding.outcome.done()
    # The guest lives on, and takes the next one.
    other = handed(bench, guest, "/next")
    guest.sh("echo on > /next/file")
    assert (share_of(bench, other) / "file").read_text() == "on\n"


def test_a_second_guest_sees_what_the_first_wrote(
    bench: HypervisorBench, lab: LibvirtLab, guest: Domain
) -> None:
    # H-S2: nothing is cached unless somebody asks for it.
    first = handed(bench, guest, "/shared")
    friend = lab.domains[bench.vm(name="friend")]
    attachment_id = new_id()
    mount = str(share_of(bench, first))
    source = bench.mounts.ensure_bound(
        h.BindSpec(attachment_id=attachment_id, mount=mount, read_only=False)
    )
    device = bench.driver.ensure_attached(
        h.DeviceSpec(attachment_id=attachment_id, vm_id=friend.id, tag="same", source=source)
    )
    assert friend.mount(device.mount_command).rc == 0
    for number in range(20):
        text = "x" * (number * 7 + 1)
        guest.sh(f"echo -n {text} > /shared/file")
        assert friend.sh("cat /mnt/file; stat -c %s /mnt/file").output == f"{text}{len(text)}\n"


@pytest.mark.isolation
def test_a_mount_made_later_on_the_host_stays_there(bench: HypervisorBench, guest: Domain) -> None:
    # H-I7
    spec = handed(bench, guest, "/late")
    pool = next(p for p in bench_sources(bench) if os.path.samefile(p, share_of(bench, spec)))
    (pool / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "later", pool / "below"], check=True)
    try:
        (pool / "below/secret").write_text("not for the guest")
        assert guest.sh("ls /late/below").output == ""
    finally:
        subprocess.run(["umount", pool / "below"], check=True)


def bench_sources(bench: HypervisorBench) -> list[Path]:
    """Every share of the lab's pool."""
    return sorted(Path(bench.make_source()).parent.iterdir())


def test_libvirtd_may_die(bench: HypervisorBench, lab: LibvirtLab, guest: Domain) -> None:
    # H-I12
    spec = handed(bench, guest, "/kept")
    guest.sh("echo before > /kept/file")
    lab.libvirtd.kill()
    guest.sh("echo while >> /kept/file")
    lab.libvirtd.start()
    assert bench.where(spec) == "both"
    assert bench.driver.ensure_attached(spec).plugged == "both"
    assert guest.sh("cat /kept/file").output == "before\nwhile\n"
    bench.driver.ensure_detached(ref(spec))
    assert bench.where(spec) is None


def test_nova_says_whose_vm_it_is(lab: LibvirtLab, bench: HypervisorBench) -> None:
    nova = (
        "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:owner>"
        "<n:user uuid='u'>me</n:user><n:project uuid='the-project'>demo</n:project>"
        "</n:owner></n:instance>"
        "<o:libosinfo xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
        "<o:os id='http://debian.org/debian/10'/></o:libosinfo>"
    )
    with Domain(lab.libvirtd, lab.image, running=False, metadata=nova, project_id="ours") as vm:
        found = bench.guest(vm.id)
        assert found.project_id == "the-project"
        # H-I13
        spec = bench.spec(vm.id)
        assert [fact.code for fact in bench.driver.why_not(spec)] == ["guest-os"]
