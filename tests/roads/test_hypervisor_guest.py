"""What a hostile root in the guest cannot do with an attached share."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.host import mount_table as table
from tests.roads.hypervisor import Hypervised, mount

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.domain import Domain

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.xdist_group("hypervisor-guest"),
]
ROAD = Hypervised
DRIVERS = ("virtiofs", "9p")

# open_by_handle_at(2) on the mount argv[1], of every inode number up to argv[2] and of what
# argv[3] shows of it elsewhere; prints what any of them holds.
BY_HANDLE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void attempt(int mount, struct file_handle *h) {
  char text[64] = "";
  int fd = open_by_handle_at(mount, h, O_RDONLY);
  if (fd >= 0 && read(fd, text, 63) > 0) printf("%s\n", text);
  if (fd >= 0) close(fd);
}
int main(int n, char **a) {
  struct file_handle *h = malloc(sizeof *h + 128);
  int id, mount = open(a[1], O_RDONLY);
  h->handle_bytes = 128;
  if (mount < 0 || name_to_handle_at(AT_FDCWD, a[3], h, &id, 0)) { perror(a[3]); return 2; }
  attempt(mount, h);
  for (uint64_t ino = 0, most = atoi(a[2]); ino < most; ino++)
    for (uint32_t generation = 0; generation < 2; generation++) {
      uint32_t words[] = {ino, 0, generation};  /* FILEID_INO64_GEN of fs/fuse: high, low */
      uint32_t turned[] = {0, ino, generation};
      h->handle_type = 0x81, h->handle_bytes = 12;
      memcpy(h->f_handle, words, 12); attempt(mount, h);
      memcpy(h->f_handle, turned, 12); attempt(mount, h);
    }
  puts("done");
  return 0;
}
"""


class Attached:
    """A guest with three shares at /virtiofs, /9p and /other."""

    def __init__(self, hv: Hypervised) -> None:
        self.shares = {name: hv.share() for name in (*DRIVERS, "other")}
        self.guest: Domain = hv.domain(name="mallory", running=False)
        self.host = {name: hv.inside(share) for name, share in self.shares.items()}
        made = {
            name: hv.attach(
                share, self.guest, state="inactive", driver="9p" if name == "9p" else "virtiofs"
            )
            for name, share in self.shares.items()
        }
        self.ids = {name: attachment["id"] for name, attachment in made.items()}
        self.guest.power_on()
        for name, attachment in made.items():
            hv.wait_attachment(attachment["id"], "active")
            mount(self.guest, attachment, f"/{name}")


@pytest.fixture(scope="module")
def attached(hv: Hypervised) -> Attached:
    return Attached(hv)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host's."""
    path = tmp_path / "secret"
    path.write_text("the host's")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_link_and_no_name_leads_out(attached: Attached, secret: Path, driver: str) -> None:
    """H-I7: neither links that are in the share already nor those the guest makes."""
    guest, share = attached.guest, attached.host[driver]
    (share / "absolute").symlink_to(secret)
    (share / "relative").symlink_to(os.path.relpath(secret, share))
    (share / "up").symlink_to("../../../..")
    (share / "deep").mkdir()
    guest.sh(f"ln -s {secret} /{driver}/planted", check=False)
    guest.sh(f"ln {secret} /{driver}/hard", check=False)
    names = "absolute relative planted hard".split()
    names += [f"up{secret}", f"..{secret}", f"deep/../../../../..{secret}"]
    for name in names:
        tried = guest.sh(f"cat '/{driver}/{name}'", check=False)
        assert tried.rc != 0
        assert "the host's" not in tried.output
    # A hard link across two shares, and a directory moved away beneath whoever is in it.
    guest.sh("echo other > /other/file")
    assert guest.sh(f"ln /other/file /{driver}/crossed", check=False).rc != 0
    guest.sh(f"mkdir -p /{driver}/a/b; cd /{driver}/a/b; mv /{driver}/a/b /{driver}/b")
    seen = guest.sh(f"cd /{driver}/b; ls -a .. ../.. ../../..", check=False).output
    assert "attachments" not in seen


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_file_handle_leads_out(
    attached: Attached, secret: Path, tmp_path: Path, driver: str
) -> None:
    """H-I7: handles of another share, and every small inode number (the host's / among them)."""
    (tmp_path / "handle.c").write_text(BY_HANDLE)
    program = tmp_path / "handle"
    subprocess.run(["gcc", "-static", "-o", program, tmp_path / "handle.c"], check=True)
    (attached.host["other"] / "handle").write_bytes(program.read_bytes())
    (attached.host["other"] / "theirs").write_text("the other share's")
    guest = attached.guest
    guest.sh("cp /other/handle /tmp/handle; chmod 755 /tmp/handle")
    tried = guest.sh(f"exec 5< /other/theirs; /tmp/handle /{driver} 600 /other/theirs", check=False)
    assert tried.output.splitlines()[-1] == "done"
    assert "the host's" not in tried.output
    assert "the other share's" not in tried.output


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_the_guest_plants_means_nothing_on_the_host(
    hv: Hypervised, attached: Attached, driver: str
) -> None:
    """H-I8: guest root is not host root: no setuid bit and no device node counts on any mount of
    the share that this host has."""
    guest, share = attached.guest, attached.host[driver]
    guest.sh(f"cp /bin/busybox /{driver}/suid; chmod 4755 /{driver}/suid")
    guest.sh(f"mknod /{driver}/null c 1 3; mknod /{driver}/disk b 254 0", check=False)
    own = f"/{hv.instance(attached.shares[driver])}"
    views = [seen for seen in table.lines() if f"{own}/" in f"{seen.point}/"]
    assert len(views) == 3  # the pool's, the host's and the attachment's
    for seen in views:
        assert {"nosuid", "nodev"} <= seen.options, seen.point
    if driver == "9p":  # mapped: the host sees plain files of its own
        assert not (share / "suid").stat().st_mode & stat.S_ISUID
        assert stat.S_IMODE((share / "suid").stat().st_mode) == 0o600
        assert not (share / "null").exists() or stat.S_ISREG((share / "null").stat().st_mode)
        return
    if not (share / "null").exists():  # another road may have let somebody make it
        os.mknod(share / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for seen in views:
        with pytest.raises(PermissionError):
            open(f"{seen.point}/null", "rb").close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_set_group_id_directory_leaks_no_group(attached: Attached, driver: str) -> None:
    """H-I8, CVE-2022-0358: a file made in it gets the directory's group, but no set-group-ID bit
    from a user who is not in that group."""
    attached.guest.sh(
        f"cd /{driver}; mkdir d; chown 0:4242 d; chmod 2777 d; chmod 777 .;"
        "echo 'user:x:1000:1000::/:/bin/sh' > /etc/passwd;"
        f"su user -c 'umask 0; cp /bin/busybox /{driver}/d/f; chmod 2775 /{driver}/d/f'"
    )
    owner, group, mode = attached.guest.sh(f"stat -c '%u %g %a' /{driver}/d/f").output.split()
    assert (owner, group) == ("1000", "4242")
    assert not int(mode, 8) & stat.S_ISGID


@pytest.mark.parametrize("driver", DRIVERS)
def test_read_only_holds_against_the_guests_root(hv: Hypervised, driver: str) -> None:
    """H-I6: the host keeps it, whatever the guest mounts; another VM writes meanwhile."""
    share = hv.share()
    (hv.inside(share) / "file").write_text("kept")
    reader, writer = (hv.domain(name=name, running=False) for name in ("reader", "writer"))
    only = hv.attach(share, reader, driver=driver, access_level="ro", state="inactive")
    full = hv.attach(share, writer, state="inactive")
    reader.power_on()
    hv.wait_attachment(only["id"], "active")
    # Root in the guest does not ask for read-only, and insists.
    insisting = {**only, "mount_command": only["mount_command"].replace("ro,", "")}
    insisting["mount_command"] = insisting["mount_command"].replace("-o ro ", "")
    assert "ro" not in insisting["mount_command"].split()[3:]
    mount(reader, insisting)
    reader.sh("mount -o remount,rw /mnt/share", check=False)
    for attempt in ("touch new", "echo x >> file", "rm file", "chmod 777 file", "mv file x"):
        assert reader.sh(f"cd /mnt/share; {attempt}", check=False).rc != 0
    assert reader.sh("cat /mnt/share/file").output == "kept"
    assert os.listdir(hv.inside(share)) == ["file"]
    writer.power_on()
    hv.wait_attachment(full["id"], "active")
    mount(writer, full)
    writer.sh("echo -n written > /mnt/share/file")
    assert reader.sh("cat /mnt/share/file").output == "written"
    for vm, one in ((reader, only), (writer, full)):
        vm.close()
        hv.wait_gone(one["id"])
