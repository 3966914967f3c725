"""The single checks. Each looks at the machine as it is, tries rather than guesses where it can,
and leaves nothing behind."""

import fcntl
import glob
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from roadstead.config import Config
from roadstead.drivers import exec as program
from roadstead.drivers.pool.durable import can_reflink
from roadstead.model.errors import ConfigError, RoadsteadError
from roadstead.privileges import account_of

OK, WARN, MISSING = "ok", "warn", "missing"
State = Literal["ok", "warn", "missing"]
_KVM_GET_API_VERSION = 0xAE00  # linux/kvm.h
_KVM_API_VERSION = 12
_LEAST_FREE_BYTES = 2 << 30
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


def all_checks(config: Config) -> list[Check]:
    """Every check of every road, in the order to read them."""
    from roadstead.doctor_compute import hypervisor  # which are made of what is here
    from roadstead.doctor_gateway import gateway
    from roadstead.doctor_names import names
    from roadstead.doctor_network import network

    return [
        *direct(config),
        *names(config),
        *hypervisor(config),
        *network(config),
        *gateway(config),
    ]


def direct(config: Config) -> Iterator[Check]:
    """What `roadstead up` with the image pool and NFS-Ganesha needs."""
    road = "direct"
    state = nearest_directory(Path(config.state_directory))
    yield fact(road, "root", os.geteuid() == 0, f"uid {os.geteuid()}", "run the agent as root")
    yield _api_user(road, config)
    yield opens(road, "loop devices", "/dev/loop-control", "modprobe loop")
    yield filesystem(road, "btrfs", "modprobe btrfs; every share is one")
    yield tool(road, "mkfs.btrfs", ["--version"], "apt install btrfs-progs")
    yield tool(road, "btrfstune", None, "apt install btrfs-progs")
    yield from _room_for_images(road, state)
    yield tool(road, "ganesha.nfsd", ["-v"], "apt install nfs-ganesha nfs-ganesha-vfs")
    yield plugin(road, GANESHA_PLUGINS)
    yield tool(road, "dbus-daemon", ["--version"], "apt install dbus-daemon")
    yield tool(road, "nsenter", ["--version"], "apt install util-linux")
    for name, backend in config.backends.items():
        if backend.export == "ganesha" and not backend.netns:
            port = int(backend.export_options.get("port", 2049))
            yield port_free(road, f"port {port} ({name})", port, Path(config.run_directory))
    yield python_packages(road, ("dbos", "granian", "falcon", "sqlalchemy", "bcrypt", "jeepney"))


def _api_user(road: str, config: Config) -> Check:
    try:
        account = account_of(config.api.user)
    except ConfigError as error:
        return Check(road=road, name="API user", state=MISSING, fix=str(error))
    return Check(road=road, name="API user", state=OK, found=f"{account.name} ({account.uid})")


def _room_for_images(road: str, state: Path) -> Iterator[Check]:
    """Reflinks of the state directory itself, or the XFS image that stands in; and room."""
    if not os.access(state, os.W_OK):
        yield Check(road=road, name="state directory", state=MISSING, found=f"{state} not writable")
        return
    with tempfile.TemporaryDirectory(dir=state, prefix=".doctor-") as scratch:
        shares_blocks = can_reflink(Path(scratch))
    if shares_blocks:
        yield Check(road=road, name="reflink", state=OK, found=f"{state} shares blocks")
    else:
        found = f"{state} cannot; the pool makes an XFS image for it"
        yield Check(road=road, name="reflink", state=OK, found=found)
        yield filesystem(road, "xfs", "modprobe xfs, or keep the pool on XFS or btrfs")
        yield tool(road, "mkfs.xfs", ["-V"], "apt install xfsprogs")
    free = shutil.disk_usage(state).free
    yield Check(
        road=road,
        name="disk",
        state=OK if free >= _LEAST_FREE_BYTES else WARN,
        found=f"{free / 2**30:.1f} GiB free at {state}",
        fix="little room for shares",
    )


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


def port_free(road: str, name: str, port: int, run_directory: Path) -> Check:
    """Nobody listens there, or we do."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            if held(run_directory / "supervisor.lock"):
                return Check(road=road, name=name, state=OK, found="used by the running Roadstead")
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
