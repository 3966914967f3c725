"""The means by which a compute host mounts what is elsewhere: bind, kernel NFS, NFS by FUSE."""

import contextlib
import ctypes.util
import importlib.util
import os
import re
import shutil
from pathlib import Path

from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host import tree
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.drivers.host.mount_table import Seen
from roadstead.drivers.host.nfs import fuse_process
from roadstead.model.errors import BadRequest, DriverError, Transient, Unsupported
from roadstead.model.hosts import MountFacts, MountSpec

KINDS = ("bind", "nfs", "fuse-nfs")
# host:/path, [v6]:/path; nothing that mount could take for an option or a second source.
_NFS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):(/[A-Za-z0-9_./-]*)")


class Means:
    """How a share gets to its mount point."""

    def __init__(self, *, nfs_options: str, fuse_options: str, logs: Path) -> None:
        self._nfs_options = nfs_options
        self._fuse_options = fuse_options
        self._logs = logs

    def matches(self, spec: MountSpec, seen: Seen, point: Path) -> bool:
        """Whether the mount found is the one wanted, and answers as far as can be told."""
        if seen.read_only != (spec.level == "ro"):
            return False
        if spec.kind == "bind":
            source = _source(spec.source)
            return (seen.device, seen.root) == (source.device, source.root)
        if spec.kind == "nfs":
            return seen.fstype in ("nfs", "nfs4") and seen.source == spec.source
        return fuse_process.serves(seen, spec.source) and fuse_process.find(point) != []

    def mount(self, spec: MountSpec, point: Path) -> None:
        """The share is mounted at the empty directory `point`."""
        read_only = spec.level == "ro"
        if spec.kind == "bind":
            _source(spec.source)
            with tree.directory(spec.source) as source:
                tree.bind(source, point, read_only=read_only)
        elif spec.kind == "nfs":
            self._mount_nfs(spec.source, point, read_only=read_only)
        elif spec.kind == "fuse-nfs":
            host, path = _nfs(spec.source)
            url = f"nfs://{host}{path}?{self._fuse_options}"
            log = self._logs / f"{spec.instance_id}-{spec.level}.log"
            fuse_process.start(url, spec.source, point, read_only=read_only, log=log)
        else:
            raise Unsupported(f"a mount of kind {spec.kind!r} is none of {', '.join(KINDS)}")

    def _mount_nfs(self, source: str, point: Path, *, read_only: bool) -> None:
        _nfs(source)
        if facts().nfs_client != "kernel":
            raise Unsupported("this host's kernel has no NFS client (nfs-common is its package)")
        options = ["nosuid", "nodev", "noexec", "ro" if read_only else "rw"]
        options += [self._nfs_options] if self._nfs_options else []
        argv = ["mount.nfs4", source, str(point), "-o", ",".join(options)]
        try:
            run(argv, timeout=60)
        except CommandFailed as error:
            # Not yet admitted, or not yet up: both may pass. "Not a directory" and the like do not.
            raise Transient(str(error)) from error


def facts() -> MountFacts:
    """By which means shares can be mounted here."""
    nfs = None
    if shutil.which("mount.nfs4") and _kernel_has("nfs4"):
        nfs = "kernel"
    elif _can_fuse():
        nfs = "fuse"
    ceph = None
    if _kernel_has("ceph"):
        ceph = "kernel"
    elif shutil.which("ceph-fuse"):
        ceph = "fuse"
    return MountFacts(nfs_client=nfs, cephfs_client=ceph)


def _can_fuse() -> bool:
    present = importlib.util.find_spec("mfusepy") is not None and os.path.exists("/dev/fuse")
    return present and fuse_process.libnfs() is not None and bool(ctypes.util.find_library("fuse3"))


def _kernel_has(filesystem: str) -> bool:
    names = Path("/proc/filesystems").read_text().split()
    if filesystem in names:
        return True
    module = {"nfs4": "nfsv4"}.get(filesystem, filesystem)
    with contextlib.suppress(DriverError, Transient):
        run(["modprobe", "--dry-run", "--quiet", module], timeout=10)
        return True
    return False


def _source(path: str) -> Seen:
    """The mount that the local directory is the root of. Transient when nothing is mounted there:
    its pool is not up, and what lies beneath is the host's own."""
    seen = table.at(path)
    if seen is None:
        raise Transient(f"nothing is mounted at {path}")
    return seen


def _nfs(source: str) -> tuple[str, str]:
    match = _NFS.fullmatch(source)
    if match is None:
        raise BadRequest(f"not an NFS path: {source!r}")
    return match[1], match[2]
