"""Shares in the file tree of this host, for its VMs.

The kernel's mount table is the only memory: what is there is looked up each time.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.compute import users
from roadstead.drivers.compute.layout import Layout
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host import mounts, tree
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.host.mount_table import Seen
from roadstead.drivers.host.nfs import fuse_process, means
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, DriverError, InUse, NotFound

UNMOUNT_SECONDS = 1.0  # for the last user's descriptors to be closed
_NO_WAY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


class LocalMounts:
    """Mounts in this host's own file tree; see `roadstead.drivers.base.compute.HostMounts`."""

    class Options(DriverOptions, frozen=True):
        """How shares are mounted."""

        directory: Annotated[str, doc("Where they are")]
        nfs_options: Annotated[str, doc("For mounting by the kernel")] = "vers=4.1,hard"
        fuse_options: Annotated[str, doc("For mounting by FUSE, as libnfs has them in a URL")] = (
            "version=3&uid=0&gid=0"
        )
        qemu_group: Annotated[
            str,
            doc(
                "Whose QEMU may reach the shares itself, which a 9p device needs where QEMU does "
                "not run as root; virtiofsd does"
            ),
        ] = ""

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"directory": where.mounts}

    def __init__(self, options: Options) -> None:
        self.layout = Layout(options.directory)
        self._group = options.qemu_group
        self._means = means.Means(
            nfs_options=options.nfs_options,
            fuse_options=options.fuse_options,
            logs=self.layout.directory / "logs",
        )
        self._locks = IdLocks()

    def capabilities(self) -> h.MountFacts:
        """By which means shares can be mounted."""
        return msgspec.structs.replace(means.facts(), directory=str(self.layout.directory))

    def ensure_ready(self) -> None:
        """Mounts can be made, and libvirt's namespaces made later see them."""
        directory = self.layout.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._group:
            shutil.chown(directory, group=self._group)
        # No other user of this host gets at a share by its path.
        directory.chmod(0o710 if self._group else 0o700)
        mounts.ensure_shared(directory)

    def ensure_mounted(self, spec: h.MountSpec) -> str:
        """The path where the share is mounted; see the Protocol."""
        point = self.layout.mount(spec.instance_id, spec.level)
        with self._locks.held(spec.instance_id):
            seen = table.at(point)
            if seen is not None and self._means.matches(spec, seen, point):
                return str(point)
            if seen is not None:
                self._unmount(point, Conflict(f"{point} shows {seen.source}, and is in use"))
            point.mkdir(parents=True, exist_ok=True)
            self._means.mount(spec, point)
            self._check(spec, point)
        return str(point)

    def ensure_unmounted(self, instance_id: str, level: str) -> None:
        """The share is not mounted at that level; see the Protocol."""
        point = self.layout.mount(instance_id, level)
        with self._locks.held(instance_id):
            self._unmount(point, InUse(f"an attachment uses share {instance_id}"))
            for path in (point, point.parent / "attachments", point.parent, point.parent.parent):
                _remove_directory(path)

    def ensure_bound(self, spec: h.BindSpec) -> str:
        """The path of the attachment's own view of the share; see the Protocol."""
        point = self.layout.bind(spec.mount, spec.attachment_id)
        with self._locks.held(Path(spec.mount).parent.parent.name):
            share = table.at(spec.mount)
            if share is None:
                raise NotFound(f"nothing is mounted at {spec.mount}")
            if share.read_only and not spec.read_only:
                raise Conflict(f"{spec.mount} is mounted read-only")
            others = [path for path in self.layout.binds_of(spec.attachment_id) if path != point]
            if any(table.at(path) for path in others):
                raise Conflict(f"attachment {spec.attachment_id} is bound to another share")
            seen = table.at(point)
            if seen is None:
                point.mkdir(parents=True, exist_ok=True)
                _bind(spec, share, point)
            elif not _is(seen, spec, share):
                raise Conflict(f"attachment {spec.attachment_id} is bound otherwise")
        return str(point)

    def ensure_unbound(self, attachment_id: str) -> None:
        """The attachment has no view; see the Protocol."""
        for point in self.layout.binds_of(attachment_id):
            with self._locks.held(point.parent.parent.parent.name):
                if table.at(point) is not None and (pids := users.of(point)):
                    raise InUse(f"{point} is served by process {pids[0]}")
                _unmount_all(point)
                _remove_directory(point)

    def ensure_all_unmounted(self) -> None:
        """No share and no view is mounted; see the Protocol."""
        busy: list[InUse] = []
        shares = list(self.layout.mounts())
        for attachment_id in [name for *_, p in shares for name, _ in self.layout.binds(p)]:
            try:
                self.ensure_unbound(attachment_id)
            except InUse as error:
                busy.append(error)
        for instance_id, level, _ in shares:
            try:
                self.ensure_unmounted(instance_id, level)
            except InUse as error:
                busy.append(error)
        if busy:
            raise busy[0]
        mounts.ensure_shared_no_more(self.layout.directory)

    def inventory(self) -> Iterator[w.Mark]:
        """Every share and every view of this host."""
        now = table.read()
        for instance_id, level, point in self.layout.mounts():
            seen = now.get(str(point))
            binds = list(self.layout.binds(point))
            facts: dict[str, object] = {
                "instance_id": instance_id,
                "level": level,
                "source": seen.source if seen else None,
                "users": [attachment for attachment, _ in binds],
            }
            problem = _problem(seen, point)
            yield w.Mark(kind="mount", id=f"{instance_id}/{level}", facts=facts, broken=problem)
            for attachment_id, path in binds:
                yield _bind_mark(attachment_id, point, now.get(str(path)))

    def _unmount(self, point: Path, in_use: Exception) -> None:
        if any(table.at(path) for _, path in self.layout.binds(point)):
            raise in_use
        _unmount_all(point)
        fuse_process.end(point)

    def _check(self, spec: h.MountSpec, point: Path) -> None:
        """What was mounted is what was wanted, with the flags that protect this host."""
        seen = table.at(point)
        if seen is None or not self._means.matches(spec, seen, point):
            raise DriverError(f"{spec.source} is not what is mounted at {point}")
        missing = {"nosuid", "nodev"} - seen.options
        if missing:
            _unmount_all(point)
            raise DriverError(f"{point} was mounted without {' and '.join(sorted(missing))}")


def _bind(spec: h.BindSpec, share: Seen, point: Path) -> None:
    with tree.directory(spec.mount) as root:
        if mounts.id_of_fd(root) != share.id:
            raise DriverError(f"something else is mounted over {spec.mount}")
        if not spec.subdirectory:
            tree.bind(root, point, read_only=spec.read_only)
            return
        try:
            with tree.beneath(root, spec.subdirectory) as part:
                tree.bind(part, point, read_only=spec.read_only)
        except OSError as error:
            if error.errno not in _NO_WAY:
                raise
            raise NotFound(f"the share has no directory {spec.subdirectory!r}") from error


def _is(seen: Seen, spec: h.BindSpec, share: Seen) -> bool:
    root = os.path.normpath(os.path.join(share.root, spec.subdirectory))
    return (seen.device, seen.root, seen.read_only) == (share.device, root, spec.read_only)


def _bind_mark(attachment_id: str, mount: Path, seen: Seen | None) -> w.Mark:
    facts: dict[str, object] = {
        "mount": str(mount),
        "read_only": seen.read_only if seen else None,
    }
    problem = None if seen else "not mounted"
    return w.Mark(kind="bind", id=attachment_id, facts=facts, broken=problem)


def _problem(seen: Seen | None, point: Path) -> str | None:
    if seen is None:
        return "not mounted"
    if seen.fstype == "fuse.nfs" and not fuse_process.find(point):
        return "its FUSE process is dead"
    return None


def _unmount_all(point: Path) -> None:
    """Nothing is mounted at the point. InUse while something is open in it."""
    while table.at(point) is not None:
        mounts.unmount(point, patience=UNMOUNT_SECONDS)


def _remove_directory(path: Path) -> None:
    """The directory is gone, if it was empty and nothing is mounted there."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
            raise
