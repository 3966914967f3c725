"""Programs of a newer Debian, unpacked beside their own loader; nothing is installed.

Debian 12 has only QEMU's old virtiofsd. The Rust one needs a newer C library than Debian 12's.
QEMU 10 and libvirt 11, which migrate virtiofs devices, are in its backports.
"""

import fcntl
import json
import re
import subprocess
from pathlib import Path

from tests.lab.build import cache_directory
from tests.lab.requirements import LabError, require

SUITE = "trixie"
BACKPORTS = "bookworm-backports"
HYPERVISOR = (
    "libvirt-common", "libvirt-daemon", "libvirt-daemon-common", "libvirt-daemon-driver-qemu",
    "libvirt-daemon-log", "libvirt0", "qemu-system-common", "qemu-system-data", "qemu-system-x86",
)  # fmt: skip
LIBRARIES = ("libc6", "libcap-ng0", "libgcc-s1", "libseccomp2")
WRAPPER = """#!/bin/sh
exec {lib}/ld-linux-x86-64.so.2 --library-path {lib} {program} "$@"
"""
APT = """
Dir::State "{directory}/state"; Dir::State::lists "{directory}/state/lists";
Dir::Cache "{directory}/cache"; Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "/nonexistent"; Dir::State::status "/var/lib/dpkg/status";
APT::Sandbox::User "root";
"""


def rust_virtiofsd() -> str:
    """The path of a Rust virtiofsd that runs here; fetched if this machine has none yet."""
    return str(_unpacked("virtiofsd", LIBRARIES, "usr/libexec/virtiofsd"))


def hypervisor() -> Path:
    """A /usr to lay over this machine's: QEMU 10, libvirt 11, and what tells libvirt that the Rust
    virtiofsd of `rust_virtiofsd` can migrate. Fetched if this machine has none yet."""
    require("apt-get", "dpkg-deb")
    daemon = rust_virtiofsd()
    directory = cache_directory() / f"hypervisor-{BACKPORTS}"
    directory.mkdir(parents=True, exist_ok=True)
    ready = directory / "ready"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            root = _fetch(directory, HYPERVISOR, BACKPORTS)
            about = root / "usr/share/qemu/vhost-user/50-virtiofsd.json"
            about.parent.mkdir(parents=True, exist_ok=True)
            features = ["migrate-precopy", "separate-options"]
            text = {"description": "", "type": "fs", "binary": daemon, "features": features}
            about.write_text(json.dumps(text))
            ready.touch()
    return directory / "root/usr"


def _unpacked(package: str, libraries: tuple[str, ...], program: str) -> Path:
    require("apt-get", "dpkg-deb")
    directory = cache_directory() / f"{package}-{SUITE}"
    directory.mkdir(parents=True, exist_ok=True)
    wrapper = directory / Path(program).name
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wrapper.exists():
            root = _fetch(directory, (package, *libraries), SUITE)
            lib = root / "usr/lib/x86_64-linux-gnu"
            unfinished = wrapper.with_suffix(".tmp")
            unfinished.write_text(WRAPPER.format(lib=lib, program=root / program))
            unfinished.chmod(0o755)
            unfinished.rename(wrapper)
    return wrapper


def _fetch(directory: Path, packages: tuple[str, ...], suite: str) -> Path:
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "sources.list").write_text(f"deb {_mirror()} {suite} main\n")
    (directory / "apt.conf").write_text(APT.format(directory=directory))
    _run(directory, "apt-get", "update", "-qq")
    _run(directory, "apt-get", "download", "-qq", *(f"{name}/{suite}" for name in packages))
    for archive in directory.glob("*.deb"):
        _run(directory, "dpkg-deb", "-x", str(archive), str(directory / "root"))
        archive.unlink()
    return directory / "root"


def _mirror() -> str:
    """The archive this machine's own packages come from, with the key that signs it."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(file.read_text() for file in files if file.is_file())
    found = re.search(r"https?://[^\s\]]*/debian/?(?=\s|$)", text)
    keys = sorted(Path("/usr/share/keyrings").glob("debian-archive-keyring.*pg"))
    if found is None or not keys:
        raise LabError("this machine's apt knows no Debian archive to take newer programs from")
    return f"[signed-by={keys[0]}] {found[0]}"


def _run(directory: Path, *argv: str) -> None:
    config = {"APT_CONFIG": f"{directory}/apt.conf", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(
        argv, cwd=directory, env=config, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()[-500:]}")
