"""The administrator's export of a filer, mounted on this host: by the kernel's NFS client where
it has one, by FUSE where not. Always so that a dead filer is an error after a while, never a
call that does not return: an agent that hangs in one share serves no other."""

import contextlib
import os
from pathlib import Path

from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host import mounts
from roadstead.drivers.host.nfs import fuse_process
from roadstead.drivers.host.nfs.means import Means, facts
from roadstead.model.errors import Unsupported
from roadstead.model.hosts import MountSpec

# Tenths of a second: an unanswered call has failed after about half a minute.
NFS_OPTIONS = "vers=4,soft,timeo=100,retrans=2,softreval"
# Milliseconds. libnfs 4 writes by NFSv4 up to four kilobytes at a time only, and nothing here
# writes more; what it had with a filer that went away it never gets back.
FUSE_OPTIONS = "version=4&uid=0&gid=0&timeout=15000&autoreconnect=0"


class FilerMount:
    """`source` (host:/path) mounted at `point`."""

    def __init__(
        self, source: str, point: Path, *, nfs_options: str, fuse_options: str, logs: Path
    ) -> None:
        self._source = source
        self._point = point
        self._logs = logs
        self._means = Means(nfs_options=nfs_options, fuse_options=fuse_options, logs=logs)

    def ensure(self) -> None:
        """It is mounted. Transient while the filer does not let us, or does not answer."""
        kind = {"kernel": "nfs", "fuse": "fuse-nfs"}.get(facts().nfs_client or "")
        if kind is None:
            raise Unsupported(
                "this host can mount no NFS: it needs a kernel with it and nfs-common, or mfusepy "
                "and libnfs"
            )
        spec = MountSpec(
            instance_id=f"filer-{self._point.name}", level="rw", kind=kind, source=self._source
        )
        seen = table.at(self._point)
        if seen is not None and self._means.matches(spec, seen, self._point):
            return
        if seen is not None and self._is_ours():
            self.ensure_absent()  # its process has died; every call on it fails
        self._logs.mkdir(parents=True, exist_ok=True)
        self._point.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._means.mount(spec, self._point)

    def renew(self) -> None:
        """It is mounted, anew where the client does not recover by itself. Transient while the
        filer does not answer; calls on the old mount have failed."""
        seen = table.at(self._point)
        if seen is not None and seen.fstype.startswith("fuse") and self._is_ours():
            fuse_process.end(self._point)
            self.ensure_absent()
        self.ensure()

    def ensure_absent(self) -> None:
        """Not mounted any more, and no process is left of it. InUse while something is open."""
        while self._is_ours():
            mounts.unmount(self._point, patience=2.0)
        with contextlib.suppress(ProcessLookupError):
            fuse_process.end(self._point)

    def _is_ours(self) -> bool:
        seen = table.at(self._point)
        return seen is not None and seen.source == self._source


def is_mount(path: Path) -> bool:
    """Whether something is mounted at exactly this directory."""
    return table.at(os.path.realpath(path)) is not None
