"""The initramfs of the lab's guests: busybox, a few modules and our init."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.requirements import LabError

INIT = Path(__file__).with_name("guest-init")
DIRECTORIES = ("bin", "proc", "sys", "dev", "mnt", "tmp", "etc", "run", "root", "usr")


def busybox() -> Path:
    """The machine's busybox, known to be statically linked."""
    found = shutil.which("busybox")
    if found is None:
        raise LabError("busybox is missing (apt-get install busybox-static)")
    if b"/ld-linux" in Path(found).read_bytes():
        raise LabError("busybox is not static (apt-get install busybox-static)")
    return Path(found)


def fingerprint(kernel: Path) -> str:
    """Another value as soon as an initramfs made now would differ."""
    # The directory's name says which modules are in it.
    digest = hashlib.sha256(kernel.name.encode())
    for path in (kernel / "version", INIT, busybox(), Path(__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def make_initrd(kernel: Path, target: Path) -> None:
    """The file is an initramfs with the modules of this kernel directory."""
    program = busybox()
    with tempfile.TemporaryDirectory(prefix="rs-initrd-") as name:
        root = Path(name)
        for directory in DIRECTORIES:
            (root / directory).mkdir()
        for link, to in (("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")):
            # The kernel looks for /sbin/modprobe when a mount needs a module.
            (root / link).symlink_to(to)
        shutil.copy(program, root / "bin/busybox")
        listing = subprocess.check_output([program, "--list"], text=True)
        for applet in set(listing.split()) - {"busybox"}:
            (root / "bin" / applet).symlink_to("busybox")
        shutil.copytree(kernel / "lib", root / "lib")
        shutil.copy(INIT, root / "init")
        (root / "init").chmod(0o755)
        _pack(root, target)


def _pack(root: Path, target: Path) -> None:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    with target.open("wb") as archive:
        done = subprocess.run(
            ["cpio", "--create", "--format=newc", "--quiet"],
            cwd=root,
            input="\n".join(names).encode() + b"\n",
            stdout=archive,
            stderr=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        raise LabError(f"cpio failed: {done.stderr.decode(errors='replace')[-500:]}")
