"""A filer with the Linux kernel's own NFS server: a guest with nfs-utils and an ssh server.

    with KnfsdFiler(segment.nic(2)) as filer:
        control = ExportfsFiler(ExportfsFiler.Options(**filer.control_options(from_netns)))
        filer.restart()

Its tree lies on ext4 on a disk that outlives a power cut, and so do /etc and /var/lib/nfs. What
an administrator of Debian's nfs-kernel-server has is started as its units start it; NFSv4 only.
Nothing is installed on this machine: the packages are unpacked into an initramfs of the filer's.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.build import Image, cache_directory
from tests.lab.guest import Guest
from tests.lab.image import fingerprint, make_initrd
from tests.lab.kernel import FLAVOUR, fetch_kernel
from tests.lab.packages import run, unpack
from tests.lab.process import enter
from tests.lab.requirements import require
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from tests.lab.segment import Nic

MODULES = (
    "virtio_pci",
    "virtio_net",
    "virtio_console",
    "virtio_blk",
    "crc32c_generic",
    "ext4",
    "nfsd",
)
PACKAGES = (
    "nfs-kernel-server", "dropbear-bin", "libblkid1", "libc6", "libcap2", "libcom-err2",
    "libcrypt1", "libevent-core-2.1-7", "libgmp10", "libgssapi-krb5-2", "libk5crypto3",
    "libkeyutils1", "libkrb5-3", "libkrb5support0", "libnsl2", "libsqlite3-0", "libtirpc3",
    "libtomcrypt1", "libtommath1", "libuuid1", "libwrap0", "zlib1g",
)  # fmt: skip
PROGRAMS = (
    "usr/sbin/exportfs", "usr/sbin/rpc.nfsd", "usr/sbin/rpc.mountd", "usr/sbin/nfsdcld",
    "usr/sbin/dropbear", "usr/bin/dropbearkey",
)  # fmt: skip
TREE = "/srv/tree"
ADMIN_OPTIONS = "rw,insecure,no_root_squash,no_subtree_check"
DISK_MIB = 256

# What stands for /etc and /var/lib/nfs is on the disk, as it would be.
PREPARE = """\
set -e
mkdir -p /srv /var/lib/nfs /var/run /lib64
ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /lib64
ln -s /lib/filer/* /bin
mount -t ext4 /dev/vda /srv
mkdir -p /srv/tree /srv/etc/exports.d /srv/etc/dropbear /srv/nfs/nfsdcld /srv/root/.ssh
mount --bind /srv/etc /etc
mount --bind /srv/nfs /var/lib/nfs
mount --bind /srv/root /root
chmod 700 /root /root/.ssh
mkdir -p /var/lib/nfs/rpc_pipefs
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
mount -t nfsd nfsd /proc/fs/nfsd
[ -e /etc/passwd ] || {
  echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd
  echo 'root:x:0:' > /etc/group
  echo '127.0.0.1 localhost' > /etc/hosts
  echo 'hosts: files' > /etc/nsswitch.conf
  echo 'nfs 2049/tcp' > /etc/services
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  dropbearkey -t ed25519 -f /etc/dropbear/key > /dev/null
  sync
}
"""
# As nfsdcld.service, nfs-mountd.service and nfs-server.service have it.
DAEMONS = """\
set -e
nfsdcld
rpc.mountd -N 2 -N 3
"""
NFSD = "exportfs -r; rpc.nfsd -N 3 -G 10 -L 10 8"
END_GRACE = """\
f=/proc/fs/nfsd/v4_end_grace
until [ "$(cat $f)" = Y ]; do echo Y > $f; sleep 0.05; done
"""
STOP = "rpc.nfsd 0; exportfs -au; exportfs -f"


class KnfsdFiler(Temporary):
    """Runs between enter and exit, with the addresses of its network card."""

    def __init__(self, nic: Nic, *, admin: Sequence[str] = ()) -> None:
        """admin: the administrator exports the tree to these addresses."""
        require("mkfs.ext4", "ssh", "ssh-keygen", root=True)
        self.nic = nic
        self._admin = admin
        self.tree = TREE
        self._directory = Path()

    def _make(self, undo: ExitStack) -> None:
        image = _build()
        self._directory = Path(tempfile.mkdtemp(prefix="rs-knfsd-"))
        undo.callback(shutil.rmtree, self._directory)
        disk = self._directory / "disk.img"
        with disk.open("wb") as file:
            file.truncate(DISK_MIB << 20)
        run("mkfs.ext4", "-q", str(disk))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._directory / "key"))
        drive = f"file={disk},format=raw,if=none,id=tree,cache=writeback"
        self.guest = Guest(
            image,
            [self.nic],
            memory=384,
            extra=["-drive", drive, "-device", "virtio-blk-pci,drive=tree"],
            modules=("virtio_blk", "ext4", "nfsd"),
        )
        undo.callback(self._power_off)
        self._power_on()

    def control_options(self, netns: str | None) -> dict[str, Any]:
        """For an ExportfsFiler that reaches the filer from this namespace."""
        return {
            "host": self.nic.address,
            "identity_file": str(self._directory / "key"),
            "known_hosts": str(self._directory / "known_hosts"),
            "command": (*enter(netns), "ssh"),
        }

    def sh(self, script: str) -> str:
        """What the administrator's commands printed; LabError when they fail."""
        return self.guest.sh(script).output

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """The NFS server runs."""
        self.sh(NFSD)

    def stop(self) -> None:
        """The NFS server is shut down as its unit does it; the machine runs."""
        self.sh(STOP)

    def restart(self) -> None:
        """`systemctl restart nfs-server`."""
        self.stop()
        self.start()

    def end_grace(self) -> None:
        """Clients have had their time to reclaim files; requests are served."""
        self.sh(END_GRACE)

    def reboot(self) -> None:
        """Its power was cut, and it is up again."""
        self._power_off()
        self._power_on()

    # --- inside -------------------------------------------------------------------------------

    def _power_on(self) -> None:
        self.guest.__enter__()
        self.sh(PREPARE)
        public = (self._directory / "key.pub").read_text().strip()
        self.sh(f"echo '{public}' > /root/.ssh/authorized_keys; chmod 600 /root/.ssh/*")
        shown = self.sh("dropbearkey -y -f /etc/dropbear/key")
        host_key = next(line for line in shown.splitlines() if line.startswith("ssh-"))
        (self._directory / "known_hosts").write_text(f"{self.nic.address} {host_key}\n")
        self.sh("dropbear -r /etc/dropbear/key -s -p 22")
        who = " ".join(f"{address}({ADMIN_OPTIONS})" for address in self._admin)
        self.sh(f"echo '{TREE} {who}' > /etc/exports" if who else ": > /etc/exports")
        self.sh(DAEMONS)
        self.start()

    def _power_off(self) -> None:
        self.guest.close()


# --- its image ------------------------------------------------------------------------------------


def _build() -> Image:
    """Kernel and initramfs exist in the cache; made now if they did not."""
    require("apt-get", "busybox", "cpio", "depmod", "dpkg-deb", root=True)
    words = " ".join((FLAVOUR, *MODULES, *PACKAGES, *PROGRAMS))
    name = f"knfsd-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n")
    with (cache / "knfsd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = cache / name
        if not directory.is_dir():
            unfinished = cache / f"{name}.tmp"
            shutil.rmtree(unfinished, ignore_errors=True)
            fetch_kernel(unfinished, MODULES)
            _fetch_programs(unfinished / "lib")
            unfinished.rename(directory)
        initrd = cache / f"{name}-{fingerprint(directory)}.img"
        if not initrd.exists():
            unfinished = initrd.with_suffix(".tmp")
            make_initrd(directory, unfinished)
            unfinished.rename(initrd)
    return Image(kernel=directory / "vmlinux", initrd=initrd)


def _fetch_programs(target: Path) -> None:
    """Below it, as below /lib: the programs, and every library of the packages."""
    programs, libraries = target / "filer", target / "x86_64-linux-gnu"
    with tempfile.TemporaryDirectory(prefix="rs-knfsd-") as name:
        work, root = Path(name), Path(name) / "root"
        unpack(PACKAGES, work, root)
        for directory in (programs, libraries):
            directory.mkdir()
        for program in PROGRAMS:
            shutil.copy(root / program, programs)
        for found in root.glob("**/lib/x86_64-linux-gnu/*.so*"):
            # A link becomes a copy of what it leads to.
            shutil.copy(found, libraries)
