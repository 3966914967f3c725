"""A pool on somebody else's NFS server: every share is a directory of one tree it gives us.

Names on disk: `layout.py`. Export rules are made by the filer's control, through the
gateways' export driver; the pool asks it for size limits only.
"""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any

from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.filer import paths
from roadstead.drivers.host import durable
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.pool.filer.layout import FilerLayout, directories
from roadstead.drivers.pool.filer.mount import FUSE_OPTIONS, NFS_OPTIONS, FilerMount, is_mount
from roadstead.drivers.pool.filer.trash import remove_tree
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import (
    BadRequest,
    Conflict,
    DriverError,
    NotFound,
    Transient,
    Unsupported,
)

# What a call meets whose filer is away; it may come back.
_AWAY = frozenset(
    getattr(errno, name)
    for name in "EIO ETIMEDOUT ESTALE ENOTCONN ECONNREFUSED ECONNRESET ECONNABORTED EHOSTDOWN "
    "EHOSTUNREACH ENETUNREACH EREMOTEIO EAGAIN ENODEV ERANGE".split()
)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FilerPool:
    """Shares as directories of `tree`, which the filer calls `path`; see
    `roadstead.drivers.base.pool.Pool`.

    All shares lie on ONE filesystem of the filer, so isolation is weak: whoever the filer admits
    to one share can forge a file handle of another one's file, if the filer takes handles across
    exports. Gateways keep tenants from the filer's other exports, not from that.

    `mount` (host:/path) is mounted at `tree` by NFS; without it the tree must be mounted already,
    unless `allow_local` says that a plain directory is meant: an unmounted one would take what
    should be on the filer. A share's size is a number of ours, unless the control can make the
    filer keep to it (`info.enforces_size`). One process per tree.
    """

    class Options(DriverOptions, frozen=True, kw_only=True):
        """How the filer's tree is reached."""

        allow_local: Annotated[
            bool, doc("The tree may be a plain directory of this host, with nothing mounted there")
        ] = False
        nfs_options: Annotated[str, doc("For mounting it by the kernel")] = NFS_OPTIONS
        fuse_options: Annotated[
            str, doc("For mounting it by FUSE, as libnfs has them in a URL")
        ] = FUSE_OPTIONS
        log_directory: Annotated[str, doc("What mounting it by FUSE logs")]

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"log_directory": where.run_directory}

    def __init__(
        self,
        options: Options,
        *,
        name: str,
        tree: str,
        path: str,
        control: FilerControl,
        mount: str = "",
    ) -> None:
        self.name = name
        self.layout = FilerLayout(os.path.abspath(tree))
        self.info = w.PoolInfo(
            kind="filer",
            isolation="weak",
            shrink=True,
            thin=True,
            enforces_size=control.info.limits_size,
        )
        self._path = path.rstrip("/") or "/"
        self._control = control
        self._allow_local = options.allow_local
        self._mount: FilerMount | None = None
        if mount:
            self._mount = FilerMount(
                mount,
                self.layout.tree,
                nfs_options=options.nfs_options,
                fuse_options=options.fuse_options,
                logs=Path(options.log_directory),
            )
        self._marker: str | None = None
        self._locks = IdLocks()
        self._renewing = threading.Lock()

    # --- the pool -----------------------------------------------------------------------------

    def ensure_pool(self) -> None:
        """The tree is the filer's, with our directories in it and nothing half-made.

        DriverError when nothing is mounted there; Transient while the filer does not answer.
        """
        with self._explained():
            if self._mount:
                self._mount.ensure()
                if not self._is_there():
                    self._mount.renew()
            if not (self._allow_local or is_mount(self.layout.tree)):
                if self.layout.marker_id() is None:
                    raise DriverError(f"pool {self.name}: {self.layout.tree} is not mounted")
            if not self.layout.tree.is_dir():
                raise DriverError(f"pool {self.name}: {self.layout.tree} is not there")
            self.layout.make()
            self._marker = self.layout.marker_id()
            self._clean_up()

    def ensure_unmounted(self) -> None:
        """What `ensure_pool` mounted is not any more; all bytes stay. InUse while it is open."""
        if self._mount:
            with self._explained():
                self._mount.ensure_absent()

    def stats(self) -> w.PoolStats:
        """Capacity of the filer's filesystem. `allocated` is what is used there, by others too,
        as far as it can be ours: counting our files would take hours."""
        with self._explained():
            self._ready()
            found = os.statvfs(self.layout.tree)
            sizes = (self.layout.size(id_) for id_ in directories(self.layout.shares))
            provisioned = sum(size or 0 for size in sizes)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            return w.PoolStats(
                total=found.f_blocks * found.f_frsize,
                free=found.f_bavail * found.f_frsize,
                allocated=min(used, provisioned),
                provisioned=provisioned,
            )

    def inventory(self) -> Iterator[w.Mark]:
        """Every share's directory, what is being deleted, and what was set aside."""
        with self._explained():
            self._ready()
            for id_ in directories(self.layout.shares):
                if mark := self._share_mark(id_):
                    yield mark
            for id_ in directories(self.layout.trash):
                if mark := self._trash_mark(id_):
                    yield mark
            for id_ in directories(self.layout.kept):
                if mark := self._aside_mark(id_):
                    yield mark

    def exported(self) -> Iterator[w.Mark]:
        """As the protocol FilerTree says."""
        for mark in self._control.inventory():
            if mark.facts.get("path") == paths.share_path(self._path, mark.id):
                yield mark

    def ensure_unexported(self, instance_id: str) -> None:
        """As the protocol FilerTree says."""
        self._control.ensure_export_absent(instance_id)

    def purge_trash(self) -> None:
        """Nothing that was deleted occupies space any more; what was set aside stays."""
        with self._explained():
            self._ready()
            for id_ in list(directories(self.layout.trash)):
                with self._locks.held(id_):
                    remove_tree(self.layout.rubbish(id_))

    # --- shares -------------------------------------------------------------------------------

    def ensure_share(self, spec: w.ShareSpec) -> w.ShareOnDisk:
        """The directory is there, root's, with exactly this size noted (and kept to, where the
        filer can)."""
        with self._working(spec.instance_id):
            if not self.layout.has_share(spec.instance_id):
                with contextlib.suppress(FileNotFoundError):  # it was not set aside
                    here = self.layout.share(spec.instance_id)
                    durable.rename(self.layout.aside(spec.instance_id), here)
            known = self.layout.size(spec.instance_id)
            if self.layout.has_share(spec.instance_id) and known not in (None, spec.size_bytes):
                raise Conflict(f"share {spec.instance_id} is there with {known} bytes")
            # The size first: the directory is what makes it a share.
            if known != spec.size_bytes:
                self.layout.write_size(spec.instance_id, spec.size_bytes)
            if not self.layout.has_share(spec.instance_id):
                self.layout.make_share(spec.instance_id)
            self._limit(spec.instance_id, spec.size_bytes)
            return self._found(spec.instance_id, spec.size_bytes)

    def find_share(self, instance_id: str) -> w.ShareOnDisk | None:
        """The share if its directory and its size are there; None otherwise."""
        self.layout.share(instance_id)
        with self._explained():
            self._ready()
            there = self.layout.has_share(instance_id)
            size_bytes = self.layout.size(instance_id) if there else None
            return None if size_bytes is None else self._found(instance_id, size_bytes)

    def ensure_share_absent(self, instance_id: str) -> None:
        """Nothing of the share is left. Killed on the way, the next start removes the rest."""
        share, rubbish = self.layout.share(instance_id), self.layout.rubbish(instance_id)
        with self._working(instance_id):
            for found in (share, self.layout.aside(instance_id)):
                remove_tree(rubbish)
                with contextlib.suppress(FileNotFoundError):
                    durable.rename(found, rubbish)
            self.layout.remove_size(instance_id)
            remove_tree(rubbish)

    def ensure_share_aside(self, instance_id: str) -> w.Mark | None:
        """The directory is kept beside the shares, where no export leads."""
        share, aside = self.layout.share(instance_id), self.layout.aside(instance_id)
        with self._working(instance_id):
            if self.layout.has_share(instance_id):
                if self.layout.has_aside(instance_id):
                    raise Conflict(f"{aside} is in the way")
                size_bytes = self.layout.size(instance_id) or 0
                self.layout.write_size(instance_id, size_bytes, since=time.time())
                durable.rename(share, aside)
        return self._aside_mark(instance_id)

    def ensure_trash_absent(self, instance_id: str) -> None:
        """The directory that was kept is gone. Killed on the way, the next start removes it."""
        rubbish = self.layout.rubbish(instance_id)
        with self._working(instance_id):
            remove_tree(rubbish)
            with contextlib.suppress(FileNotFoundError):
                durable.rename(self.layout.aside(instance_id), rubbish)
            self.layout.remove_leftovers(instance_id)
            remove_tree(rubbish)

    def ensure_size(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        """The share has this size. DriverError 018 where the filer keeps to sizes and there is
        more in it; where it does not, any size will do."""
        with self._working(instance_id):
            if not self.layout.has_share(instance_id):
                raise NotFound(f"share {instance_id} is not in pool {self.name}")
            self._limit(instance_id, size_bytes)
            if self.layout.size(instance_id) != size_bytes:
                self.layout.write_size(instance_id, size_bytes)
            return self._found(instance_id, size_bytes)

    # --- snapshots: a filer we know nothing about has none ------------------------------------

    def ensure_snapshot(self, ref: w.SnapshotRef) -> None:
        """Unsupported."""
        raise self._no_snapshots()

    def ensure_snapshot_absent(self, ref: w.SnapshotRef) -> None:
        """There never is one."""
        for id_ in (ref.instance_id, ref.snapshot_id):
            if not ids.is_uuid(id_):
                raise BadRequest(f"not a resource id: {id_!r}")

    def ensure_clone(self, spec: w.ShareSpec, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """Unsupported."""
        raise self._no_snapshots()

    def ensure_reverted(self, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """Unsupported."""
        raise self._no_snapshots()

    # --- inside -------------------------------------------------------------------------------

    def _no_snapshots(self) -> Unsupported:
        return Unsupported(f"pool {self.name}: a filer's shares have no snapshots")

    @contextlib.contextmanager
    def _working(self, instance_id: str) -> Generator[None]:
        """Nobody else of this process works on the share meanwhile."""
        with self._explained(), self._locks.held(instance_id):
            self._ready()
            yield

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """What the system refuses leaves as an error of ours, fit for the user."""
        try:
            yield
        except OSError as error:
            said = f"pool {self.name}: {error.strerror or error}"
            if error.errno in _AWAY:
                raise Transient(said) from error
            if error.errno in _FULL:
                raise DriverError(f"pool {self.name} is full", detail_id="009") from error
            raise DriverError(said) from error

    def _ready(self) -> None:
        """Transient when the tree is not the one `ensure_pool` found, and cannot be had back."""
        if self._mount and not self._is_there():
            with self._renewing:
                if not self._is_there():
                    self._mount.renew()
        marker = self.layout.marker_id()
        if marker is None or self._marker not in (None, marker):
            raise Transient(f"pool {self.name} is not mounted")
        self.layout.check()

    def _is_there(self) -> bool:
        try:
            return self.layout.marker_id() is not None
        except OSError:
            return False

    def _clean_up(self) -> None:
        """What a killed predecessor left is gone."""
        self.purge_trash()
        for id_ in set(self.layout.sized()):
            with self._locks.held(id_):
                self.layout.remove_leftovers(id_)

    def _limit(self, instance_id: str, size_bytes: int) -> None:
        if self._control.info.limits_size:
            self._control.ensure_size(self._path_of(instance_id), size_bytes)

    def _share_mark(self, instance_id: str) -> w.Mark | None:
        with self._locks.held(instance_id):
            if not self.layout.has_share(instance_id):
                return None
            size_bytes = self.layout.size(instance_id)
        path = self._path_of(instance_id)
        facts: dict[str, object] = {"path": path, "size_bytes": size_bytes or 0}
        broken = "its size is not noted" if size_bytes is None else None
        return w.Mark(kind="share", id=instance_id, facts=facts, broken=broken)

    def _trash_mark(self, instance_id: str) -> w.Mark | None:
        with self._locks.held(instance_id):
            if not self.layout.rubbish(instance_id).exists():
                return None
        return w.Mark(kind="trash", id=instance_id)

    def _aside_mark(self, instance_id: str) -> w.Mark | None:
        with self._locks.held(instance_id):
            if not self.layout.has_aside(instance_id):
                return None
            size_bytes, since = self.layout.size(instance_id), self.layout.since(instance_id)
        facts: dict[str, object] = {
            "path": str(self.layout.aside(instance_id)),
            "size_bytes": size_bytes or 0,
        }
        if since is not None:
            facts["since"] = since
        return w.Mark(kind="trash", id=instance_id, facts=facts)

    def _path_of(self, instance_id: str) -> str:
        return paths.share_path(self._path, instance_id)

    def _found(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        path = self._path_of(instance_id)
        return w.ShareOnDisk(instance_id=instance_id, path=path, size_bytes=size_bytes)
