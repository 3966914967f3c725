"""What `locks` in a device's facts says is what two guests get.

Two devices with one share are two guests to it: each has a daemon and a filesystem of its own.
"""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench
from roadstead.model import hosts as h
from roadstead.model.ids import new_id

if TYPE_CHECKING:
    from tests.lab.domain import Domain

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("libvirt-guest")]

# lock flock|fcntl FILE wait|try SECONDS: says "got", holds it; or the error's name.
LOCK = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
int main(int n, char **a) {
  int fd = open(a[2], O_RDWR | O_CREAT, 0666), wait = !strcmp(a[3], "wait"), failed;
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (!strcmp(a[1], "flock")) failed = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
  else failed = fcntl(fd, wait ? F_SETLKW : F_SETLK, &whole);
  puts(failed ? strerrorname_np(errno) : "got");
  fflush(stdout);
  if (failed) return 1;
  sleep(atoi(a[4]));
  return 0;
}
"""


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program, for a guest that has no libraries."""
    directory = tmp_path_factory.mktemp("lock")
    (directory / "lock.c").write_text("#define _GNU_SOURCE\n" + LOCK)
    argv = ["gcc", "-static", "-o", directory / "lock", directory / "lock.c"]
    subprocess.run(argv, check=True)
    return (directory / "lock").read_bytes()


def two_views(bench: HypervisorBench, guest: Domain, lock: bytes, *, enforce: bool) -> Path:
    """The share, mounted by the guest at /one and /two through a daemon each."""
    one = bench.spec(guest.id, enforce_locks=enforce)
    mount = Path(one.source).parent.parent / "mount"
    other = new_id()
    source = bench.mounts.ensure_bound(
        h.BindSpec(attachment_id=other, mount=str(mount), read_only=False)
    )
    two = h.DeviceSpec(
        attachment_id=other, vm_id=guest.id, tag="two", source=source, enforce_locks=enforce
    )
    for spec, point in ((one, "/one"), (two, "/two")):
        device = bench.driver.ensure_attached(spec)
        assert device.locks == ("enforced" if enforce else "not enforced")
        assert guest.mount(device.mount_command.replace("/mnt", point)).rc == 0
    (mount / "lock").write_bytes(lock)
    (mount / "lock").chmod(0o755)
    guest.sh("cp /one/lock /tmp/lock; rm -f /tmp/held")
    return mount


def hold(guest: Domain, kind: str, seconds: int) -> None:
    """Somebody in the guest has the lock, by /one."""
    guest.start(f"/tmp/lock {kind} /one/file try {seconds} > /tmp/held")
    assert guest.sh("until [ -s /tmp/held ]; do sleep 0.05; done; cat /tmp/held").output == "got\n"


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_without_them_two_guests_hold_one_lock(
    bench: HypervisorBench, guest: Domain, lock: bytes, kind: str
) -> None:
    two_views(bench, guest, lock, enforce=False)
    hold(guest, kind, 3600)
    assert guest.sh(f"/tmp/lock {kind} /one/file try 0", check=False).output == "EAGAIN\n"
    assert guest.sh(f"/tmp/lock {kind} /two/file try 0").output == "got\n"


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_with_them_only_one_does(
    bench: HypervisorBench, guest: Domain, lock: bytes, kind: str
) -> None:
    mount = two_views(bench, guest, lock, enforce=True)
    hold(guest, kind, 3600)
    for point in ("/one", "/two"):
        assert guest.sh(f"/tmp/lock {kind} {point}/file try 0", check=False).output == "EAGAIN\n"
    # Nor does this host, which other roads go through.
    with (mount / "file").open("r+") as file, pytest.raises(BlockingIOError):
        (fcntl.flock if kind == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("kind", ["flock", "fcntl"])
def test_locks_that_may_wait_are_refused_then(
    bench: HypervisorBench, guest: Domain, lock: bytes, kind: str
) -> None:
    """QEMU's virtiofsd cannot do them, even where nobody holds the lock: why it is no default."""
    two_views(bench, guest, lock, enforce=True)
    refused = guest.sh(f"/tmp/lock {kind} /one/file wait 0", check=False)
    assert refused.output == "EOPNOTSUPP\n"
