"""What is needed of this machine, for `roadstead doctor`. Each check looks at the machine as it is,
tries rather than guesses where it can, and leaves nothing behind."""

import fcntl
import glob
import importlib.util
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from roadstead.drivers.host import exec as program
from roadstead.model.errors import RoadsteadError

OK, WARN, MISSING = "ok", "warn", "missing"
State = Literal["ok", "warn", "missing"]
_KVM_GET_API_VERSION = 0xAE00  # linux/kvm.h
_KVM_API_VERSION = 12
GANESHA_PLUGINS = ("/usr/lib/*/ganesha", "/usr/lib64/ganesha", "/usr/lib/ganesha")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_VERSION = re.compile(r"\b[vV]?\d+(\.\d+)+[\w.+~-]*")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a road needs; `found` is a version or a fact, `fix` what to do without it."""

    road: str
    name: str
    state: State
    found: str = ""
    fix: str = ""


def fact(road: str, name: str, holds: bool, found: str, fix: str) -> Check:
    """ok if it holds, else missing."""
    return Check(road=road, name=name, state=OK if holds else MISSING, found=found, fix=fix)


def tool(
    road: str, name: str, version: Sequence[str] | None, fix: str, *, need: bool = True
) -> Check:
    """The program is installed, with the version it tells. Without `need` its lack is a warning."""
    label = os.path.basename(name)
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if path is None:
        return Check(road=road, name=label, state=MISSING if need else WARN, fix=fix)
    if version is None:
        return Check(road=road, name=label, state=OK, found=path)
    try:
        said = subprocess.run(
            [path, *version], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(road=road, name=label, state=WARN, found=str(error), fix=fix)
    text = said.stdout + said.stderr
    number = _VERSION.search(text)
    return Check(road=road, name=label, state=OK, found=number[0] if number else text.strip()[:40])


def opens(road: str, name: str, path: str, fix: str) -> Check:
    """The device can be opened for writing."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        found = f"{path}: {error.strerror}"
        return Check(road=road, name=name, state=MISSING, found=found, fix=fix)
    return Check(road=road, name=name, state=OK, found=path)


def filesystem(road: str, name: str, fix: str) -> Check:
    """The kernel mounts it, or has the module at hand."""
    known = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    if name in known:
        return Check(road=road, name=f"kernel {name}", state=OK, found="in /proc/filesystems")
    try:
        program.run(["modprobe", "-n", "-q", name], timeout=10)
    except RoadsteadError:
        return Check(road=road, name=f"kernel {name}", state=MISSING, fix=fix)
    return Check(road=road, name=f"kernel {name}", state=OK, found="module, not loaded yet")


def plugin(road: str, places: Iterable[str], layer: str = "vfs") -> Check:
    """Ganesha's back end of that name is there."""
    found = [p for place in places for p in glob.glob(f"{place}/libfsal{layer}.so")]
    fix = f"apt install nfs-ganesha-{layer.replace('_', '-')}"
    return fact(road, f"ganesha {layer.upper()}", bool(found), found[0] if found else "", fix)


def port_free(road: str, name: str, port: int, *, serving: bool) -> Check:
    """Nobody listens there, or we do, who are `serving`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            if serving:
                return Check(road=road, name=name, state=OK, found="used by Roadstead itself")
            found = error.strerror or "in use"
            fix = "stop the other NFS server, or set export_options.port"
            return Check(road=road, name=name, state=MISSING, found=found, fix=fix)
    return Check(road=road, name=name, state=OK, found="free")


def held(lock: Path) -> bool:
    """True while another process holds that lock file."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def kvm(road: str) -> Check:
    """/dev/kvm opens and speaks the API; without it guests run, but slowly."""
    fix = "load kvm_intel or kvm_amd, or enable nested virtualization"
    try:
        fd = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        found = f"/dev/kvm: {error.strerror}"
        return Check(road=road, name="kvm", state=WARN, found=found, fix=fix)
    try:
        version = fcntl.ioctl(fd, _KVM_GET_API_VERSION)
    except OSError as error:
        return Check(road=road, name="kvm", state=WARN, found=f"{error.strerror}", fix=fix)
    finally:
        os.close(fd)
    state: State = OK if version == _KVM_API_VERSION else WARN
    return Check(road=road, name="kvm", state=state, found=f"API {version}", fix=fix)


def in_new_netns(road: str, name: str, argv: Sequence[str], commands: str, fix: str) -> Check:
    """The kernel does it: tried in a network namespace that is gone afterwards."""
    if os.geteuid() != 0:
        return Check(road=road, name=name, state=WARN, found="not tried", fix="run as root")
    try:
        tried = subprocess.run(
            ["unshare", "--net", *argv],
            input=commands,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(road=road, name=name, state=MISSING, found=str(error), fix=fix)
    said = (tried.stderr.strip().splitlines() or [""])[0]
    return fact(road, name, tried.returncode == 0, said or "tried, works", fix)


def python_packages(
    road: str, names: Sequence[str], fix: str = "reinstall Roadstead with its dependencies"
) -> Check:
    """All can be imported."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    found = f"without {', '.join(absent)}" if absent else ", ".join(names)
    return fact(road, "Python packages", not absent, found, fix)


def nearest_directory(path: Path) -> Path:
    """The directory itself, or the nearest above it that exists."""
    return next((p for p in (path, *path.parents) if p.is_dir()), Path("/"))
