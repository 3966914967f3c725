"""Debian's own kernel, unpacked and not installed, for the lab's guests."""

import lzma
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.lab.requirements import LabError

# The full flavour: Debian's cloud kernel has no 9p.
FLAVOUR = "amd64"

MODULES = (
    "virtio_pci",
    "virtio_net",
    "virtio_console",
    "9pnet_virtio",
    "9p",
    "fuse",
    "virtiofs",
    "nfs",
    "nfsv3",
    "nfsv4",
    "cifs",
    # What cifs asks for by name when it is used; a module's dependencies do not say so.
    "ccm",
    "cmac",
    "ctr",
    "ecb",
    "gcm",
    "ghash_generic",
    "nls_utf8",
    "sha512_generic",
    "8021q",
    "overlay",
    # For a guest that is a host of segments.
    "bridge",
    "veth",
    "vxlan",
    "tun",
    "crc32c_generic",
    "nf_tables",
    "nft_meta_bridge",
)


def fetch_kernel(target: Path, modules: Iterable[str] = MODULES, flavour: str = FLAVOUR) -> None:
    """The directory holds vmlinux, version and a lib/modules tree of just these modules."""
    # Inside the target, so that whoever clears away a half-made target clears this too.
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unpack-", dir=target) as name:
        work = Path(name)
        package = _download(f"linux-image-{flavour}", work)
        unpacked = work / "root"
        _run("dpkg-deb", "-x", str(package), str(unpacked))
        versions = [path.name for path in (unpacked / "lib/modules").iterdir()]
        if len(versions) != 1:
            raise LabError(f"{package.name} holds modules of {versions}, one version expected")
        version = versions[0]
        # The package has no modules.dep: its maintainer script would have made it.
        _run("depmod", "-b", str(unpacked), version)
        image = (unpacked / "boot" / f"vmlinuz-{version}").read_bytes()
        (target / "vmlinux").write_bytes(uncompress(image))
        _copy_modules(unpacked / "lib/modules" / version, target, version, modules)
        (target / "version").write_text(version + "\n")


def uncompress(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage: it boots seconds faster under emulation."""
    formats: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
        (b"\xfd7zXZ\0", lambda data: lzma.LZMADecompressor().decompress(data)),
        (b"\x1f\x8b\x08", lambda data: zlib.decompressobj(31).decompress(data)),
    )
    for magic, decompress in formats:
        at = image.find(magic)
        while at >= 0:
            try:
                kernel = decompress(image[at:])
            except (lzma.LZMAError, zlib.error):
                kernel = b""
            if kernel.startswith(b"\x7fELF"):
                return kernel
            at = image.find(magic, at + 1)
    raise LabError("no compressed ELF kernel found in the boot image")


def _download(meta: str, work: Path) -> Path:
    """The .deb of the newest kernel the meta package depends on lies in work."""
    package = _newest(meta)
    # A machine may have no package lists, or lists that name a version already gone.
    if package is None or not _fetch(package, work):
        _run("apt-get", "update", "-qq")
        package = _newest(meta)
        if package is None or not _fetch(package, work):
            raise LabError(f"apt-get download found no package for {meta}")
    return next(work.glob("*.deb"))


def _newest(meta: str) -> str | None:
    answer = subprocess.run(
        ["apt-cache", "depends", meta], capture_output=True, text=True, check=False
    )
    found = re.search(r"Depends: (linux-image-\d\S+)", answer.stdout)
    return found[1] if found else None


def _fetch(package: str, work: Path) -> bool:
    # Without the option apt drops to a user who may not write into our directory.
    argv = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package]
    done = subprocess.run(argv, cwd=work, capture_output=True, check=False)
    return done.returncode == 0 and any(work.glob("*.deb"))


def _copy_modules(source: Path, target: Path, version: str, modules: Iterable[str]) -> None:
    into = target / "lib/modules" / version
    for path in closure(source, modules):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, into / path)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(source / name, into / name)
    _run("depmod", "-b", str(target), version)


def closure(tree: Path, modules: Iterable[str]) -> list[str]:
    """Paths below tree of these modules and of everything they depend on."""
    depends: dict[str, list[str]] = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, needed = line.partition(":")
        depends[module_name(path)] = [*needed.split(), path]
    builtin = {module_name(path) for path in (tree / "modules.builtin").read_text().split()}
    return _select(modules, depends, builtin)


def _select(
    modules: Iterable[str], depends: Mapping[str, list[str]], builtin: set[str]
) -> list[str]:
    paths: dict[str, None] = {}
    for module in (name.replace("-", "_") for name in modules):
        if module in depends:
            paths.update(dict.fromkeys(depends[module]))
        elif module not in builtin:
            raise LabError(f"the kernel has no module {module}")
    return list(paths)


def module_name(path: str) -> str:
    """The name modprobe knows a module file by."""
    return re.sub(r"\.ko(\.\w+)?$", "", Path(path).name).replace("-", "_")


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()[-500:]}")
