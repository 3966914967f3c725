"""A guest with this machine's programs and files, and another kernel: for what the machine's own
kernel cannot do.

    with WholeMachine(image) as machine:
        machine.pytest("tests/unit/drivers/network", "-k", "kernel", timeout=300)

Its root is this machine's, by 9p; what is written there stays in the guest.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.guest import Guest
from tests.lab.packages import unpacked
from tests.lab.requirements import require
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from tests.lab.build import Image
    from tests.lab.guest import Result

# The kernel loads the rest when it is asked for.
MODULES = (
    "9pnet_virtio", "9p", "overlay", "veth", "bridge", "8021q", "crc32c_generic", "nf_tables",
)  # fmt: skip
_TAG = "whole"
_PREPARE = f"""\
set -e
mkdir -p /mnt/below /mnt/own /mnt/whole
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose {_TAG} /mnt/below
mount -t tmpfs own /mnt/own
mkdir /mnt/own/upper /mnt/own/work
mount -t overlay -o lowerdir=/mnt/below,upperdir=/mnt/own/upper,workdir=/mnt/own/work o /mnt/whole
cd /mnt/whole
mount -t proc proc proc
mount -t sysfs sys sys
mount -o bind /dev dev
mount -t tmpfs run run
mkdir -p run/netns run/lock run/tests
"""
_ROOT = Path(__file__).parents[2]


class WholeMachine(Temporary):
    """Runs between enter and exit."""

    def __init__(
        self, image: Image, *, modules: Sequence[str] = (), packages: Sequence[str] = ()
    ) -> None:
        """`packages`: Debian's whose programs are there, too."""
        require("qemu-system-x86_64", root=True)
        share = f"local,id={_TAG},path=/,security_model=none,readonly=on,multidevs=remap"
        extra = ["-fsdev", share, "-device", f"virtio-9p-pci,fsdev={_TAG},mount_tag={_TAG}"]
        self.guest = Guest(image, memory=1024, modules=(*MODULES, *modules), cpus=2, extra=extra)
        self._programs = [f"{unpacked(package)}/sbin" for package in packages]

    def _make(self, undo: ExitStack) -> None:
        undo.enter_context(self.guest)
        self.guest.sh(_PREPARE)

    def pytest(self, *words: str, timeout: float) -> Result:
        """How the tests of this checkout ended there."""
        python = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        path = ":".join([*self._programs, "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        # Beside the checkout, which may be in /tmp, and on a filesystem that can be exported.
        env = ["env", "-i", f"PATH={path}", "HOME=/root", "TMPDIR=/run/tests"]
        env += ["PYTHONDONTWRITEBYTECODE=1"]
        inside = f"cd {shlex.quote(str(_ROOT))} && exec {shlex.join([*env, *python])}"
        chroot = f"exec chroot /mnt/whole /bin/sh -c {shlex.quote(inside)}"
        return self.guest.sh(chroot, timeout=timeout, check=False)
