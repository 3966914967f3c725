"""A pool of filesystem images: every share is a btrfs in a sparse file of its own, loop-mounted.

One superblock per share, so that a forged NFS file handle of one share cannot name a file of
another; a hard size limit; a `df` that shows it; online grow and shrink. Snapshots, clones and
reverts share blocks with their origin (FICLONE), which the pool's filesystem must support:
`backing.py` provides one where the disk's own cannot. Names on disk: `layout.py`.
"""

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.host import durable, mounts
from roadstead.drivers.host.exec import CommandFailed
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.pool.image import backing, btrfs, census, loop, mounting, restore, trash
from roadstead.drivers.pool.image.freeze import frozen
from roadstead.drivers.pool.image.layout import Layout, temporary
from roadstead.drivers.pool.image.presence import READ_ONLY, Presence, look
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import DriverError, NotFound, Transient, Unsupported


class ImagePool:
    """Shares as filesystem images in `directory`; see `roadstead.drivers.base.pool.Pool`.

    Safe to use from several threads of one process; one process per directory.
    """

    class Options(DriverOptions, frozen=True):
        """Where the images are."""

        directory: Annotated[str, doc("The images, and all that belongs to them")]
        backing_gib: Annotated[
            int,
            doc(
                "Size of the sparse pool.img, made only where the directory's filesystem cannot "
                "share blocks (reflink)",
                ge=1,
            ),
        ] = 64
        mount_root: Annotated[
            str, doc("Where shares are mounted; '' = the directory mnt beside the images")
        ] = ""

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"directory": where.state_directory}

    def __init__(self, options: Options, *, name: str) -> None:
        self.name = name
        self.layout = Layout(options.directory, options.mount_root)
        self.info = w.PoolInfo(
            kind="image",
            isolation="strong",
            snapshot=True,
            clone=True,
            revert=True,
            shrink=True,
            thin=True,
            min_bytes=btrfs.MIN_BYTES,
        )
        self._backing_gib = options.backing_gib
        self._locks = IdLocks()

    # --- the pool -----------------------------------------------------------------------------

    def ensure_pool(self) -> None:
        """The pool is mounted and holds nothing half-made; every share that can be mounted is.

        A share that cannot (a damaged image) is logged and shows in `inventory` as broken.
        """
        with self._explained():
            self.layout.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
            mounts.ensure_shared(self.layout.directory)
            backing.ensure_backing(self.layout, self._backing_gib)
            self.layout.images.mkdir(mode=0o700, exist_ok=True)
            self.layout.trash.mkdir(mode=0o700, exist_ok=True)
            self.layout.kept.mkdir(mode=0o700, exist_ok=True)
            self.layout.mounts.mkdir(mode=0o711, parents=True, exist_ok=True)
            mounts.ensure_shared(self.layout.mounts)
            restore.remove_temporaries(self.layout, self._locks)
            restore.free_stale_loops(self.layout)
            restore.thaw_and_remount(self.layout, self._locks)
            trash.purge(self.layout)

    def ensure_unmounted(self) -> None:
        """Nothing of the pool is mounted any more; all bytes stay. For an orderly shutdown.
        InUse when a share is open."""
        with self._explained():
            restore.unmount_all(self.layout)

    def stats(self) -> w.PoolStats:
        """Capacity now; `allocated` counts blocks that images share once for each of them."""
        with self._explained():
            self._ready()
            return census.stats(self.layout)

    def inventory(self) -> Iterator[w.Mark]:
        """Every image in the pool, and every mount whose image is gone."""
        with self._explained():
            self._ready()
            yield from census.shares(self.layout, self._locks)
            yield from census.others(self.layout)

    def purge_trash(self) -> None:
        """Nothing that was deleted occupies space any more; what was set aside stays."""
        with self._explained():
            self._ready()
            trash.purge(self.layout)

    # --- shares -------------------------------------------------------------------------------

    def ensure_share(self, spec: w.ShareSpec) -> w.ShareOnDisk:
        """The share's filesystem is there, mounted, with exactly this size."""
        with self._working(spec.instance_id) as there:
            there = self._given_back(spec.instance_id, there)
            if not mounting.adopt(self.layout, spec, there):
                self._need_room_for(spec)
                image = self.layout.share(spec.instance_id)
                with durable.fresh_file(temporary(image)) as fd:
                    os.ftruncate(fd, spec.size_bytes)
                    btrfs.make(durable.path_of_fd(fd), spec.size_bytes)
                    os.fsync(fd)
                    durable.rename(temporary(image), image)
                self._mount_new(spec.instance_id)
            return self._found(spec.instance_id, spec.size_bytes)

    def find_share(self, instance_id: str) -> w.ShareOnDisk | None:
        """The share if it is there, mounted and reachable, if only for reading; None otherwise."""
        there = look(self.layout, instance_id)
        if there.broken not in (None, READ_ONLY) or there.image_bytes is None:
            return None
        return self._found(instance_id, there.image_bytes)

    def ensure_share_absent(self, instance_id: str) -> None:
        """Neither image, mount nor loop device of the share is left. InUse while it is open, in
        another mount namespace too."""
        with self._working(instance_id) as there:
            self._unmount(instance_id, there)
            trash.discard(self.layout, self.layout.share(instance_id))
            trash.discard(self.layout, self.layout.aside(instance_id))

    def ensure_share_aside(self, instance_id: str) -> w.Mark | None:
        """The image is kept in another directory, not mounted. InUse while the share is open."""
        with self._working(instance_id) as there:
            self._unmount(instance_id, there)
            trash.set_aside(self.layout, instance_id)
        return next((m for m in census.kept(self.layout) if m.id == instance_id), None)

    def ensure_trash_absent(self, instance_id: str) -> None:
        """The image that was kept is gone. InUse while somebody has a loop device on it."""
        with self._working(instance_id):
            trash.discard(self.layout, self.layout.aside(instance_id))

    def ensure_size(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        """Image, loop device and filesystem have this size, from whatever a killed attempt left.

        The image is cut only after its filesystem has become small enough.
        """
        with self._working(instance_id) as there:
            mount = mounting.ensure_mounted(self.layout, instance_id, there)
            image = self.layout.share(instance_id)
            with mounts.root_of(mount) as root:
                if btrfs.size(root) > size_bytes:
                    if size_bytes < btrfs.MIN_SHRUNK_BYTES:
                        raise Unsupported(f"cannot shrink below {btrfs.MIN_SHRUNK_BYTES} bytes")
                    btrfs.shrink(root, size_bytes)
                if os.stat(image).st_size != size_bytes:
                    durable.resize(image, size_bytes)
                loop.ensure_capacity(mount.source)
                btrfs.ensure_filling(root, mount.source, size_bytes)
            return self._found(instance_id, size_bytes)

    # --- snapshots ----------------------------------------------------------------------------

    def ensure_snapshot(self, ref: w.SnapshotRef) -> None:
        """An unchanging copy of the share exists; writers waited while it was made."""
        target = self.layout.snapshot(ref.snapshot_id)
        with self._working(ref.instance_id) as there, self._locks.held(ref.snapshot_id):
            if target.exists():
                return
            mount = mounting.ensure_mounted(self.layout, ref.instance_id, there)
            self._need_room()
            with durable.fresh_file(temporary(target)) as fd:
                with mounts.root_of(mount) as root, frozen(root):
                    durable.reflink(self.layout.share(ref.instance_id), fd)
                os.fsync(fd)
                durable.rename(temporary(target), target)

    def ensure_snapshot_absent(self, ref: w.SnapshotRef) -> None:
        """The snapshot is gone; its clones and its origin live on. InUse while it is mounted."""
        self.layout.share(ref.instance_id)
        image = self.layout.snapshot(ref.snapshot_id)
        with self._explained(), self._locks.held(ref.snapshot_id):
            self._ready()
            trash.discard(self.layout, image)

    def ensure_clone(self, spec: w.ShareSpec, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """A share of its own UUID whose content began as the snapshot's. Unsupported when smaller
        than the snapshot, NotFound without it."""
        source = self.layout.snapshot(snapshot.snapshot_id)
        with self._working(spec.instance_id) as there, self._locks.held(snapshot.snapshot_id):
            there = self._given_back(spec.instance_id, there)
            if not mounting.adopt(self.layout, spec, there):
                self._need_room_for(spec)
                if spec.size_bytes < _size_of(source):
                    raise Unsupported("a clone cannot be smaller than its snapshot")
                image = self.layout.share(spec.instance_id)
                with durable.fresh_file(temporary(image)) as fd:
                    durable.reflink(source, fd)
                    btrfs.renew_uuid(durable.path_of_fd(fd))
                    os.ftruncate(fd, spec.size_bytes)
                    os.fsync(fd)
                    durable.rename(temporary(image), image)
                self._mount_new(spec.instance_id)
            return self._found(spec.instance_id, spec.size_bytes)

    def ensure_reverted(self, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """The origin's content and size are the snapshot's. InUse, and nothing has changed, while
        it is exported or open."""
        source = self.layout.snapshot(snapshot.snapshot_id)
        with (
            self._working(snapshot.instance_id) as there,
            self._locks.held(snapshot.snapshot_id),
        ):
            size_bytes = _size_of(source)
            if there.absent:
                raise NotFound(f"share {snapshot.instance_id} is not in pool {self.name}")
            self._need_room()
            image = self.layout.share(snapshot.instance_id)
            with durable.fresh_file(temporary(image)) as fd:
                durable.reflink(source, fd)
                os.fsync(fd)
                mounting.unmount(self.layout, snapshot.instance_id, there)
                durable.rename(temporary(image), image)
            mounting.mount(self.layout, snapshot.instance_id)
            return self._found(snapshot.instance_id, size_bytes)

    # --- inside -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _working(self, instance_id: str) -> Generator[Presence]:
        """What is there of the share; nobody else of this process works on it meanwhile."""
        self.layout.share(instance_id)
        with self._explained(), self._locks.held(instance_id):
            self._ready()
            yield look(self.layout, instance_id)

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """What the system refuses leaves as an error of ours, fit for the user."""
        try:
            yield
        except (OSError, CommandFailed) as error:
            if backing.is_full(error):
                raise DriverError(f"pool {self.name} is full", detail_id="009") from error
            if isinstance(error, OSError):
                raise DriverError(f"pool {self.name}: {error.strerror or error}") from error
            raise

    def _ready(self) -> None:
        if not self.layout.images.is_dir():
            raise Transient(f"pool {self.name} is not mounted")

    def _given_back(self, instance_id: str, there: Presence) -> Presence:
        """What is there of the share now that it is not set aside any more."""
        if there.absent and trash.give_back(self.layout, instance_id):
            return look(self.layout, instance_id)
        return there

    def _unmount(self, instance_id: str, there: Presence) -> None:
        mounting.unmount(self.layout, instance_id, there)
        with contextlib.suppress(OSError):  # missing; or files that got under the mount
            os.rmdir(self.layout.point(instance_id))

    def _need_room(self) -> None:
        if not backing.has_room(self.layout, backing.ROOM_BYTES):
            raise DriverError(f"pool {self.name} is full", detail_id="009")

    def _need_room_for(self, spec: w.ShareSpec) -> None:
        if spec.size_bytes < self.info.min_bytes:
            raise Unsupported(f"a share has at least {self.info.min_bytes} bytes")
        self._need_room()

    def _mount_new(self, instance_id: str) -> None:
        """The image just made is mounted, or gone again: nobody has written to it yet."""
        try:
            mounting.mount(self.layout, instance_id)
        except Exception:
            mounts.unmount(self.layout.point(instance_id))
            durable.remove(self.layout.share(instance_id))
            raise

    def _found(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        path = str(self.layout.point(instance_id))
        return w.ShareOnDisk(instance_id=instance_id, path=path, size_bytes=size_bytes)


def _size_of(snapshot: Path) -> int:
    try:
        return snapshot.stat().st_size
    except FileNotFoundError:
        raise NotFound(f"there is no {snapshot.name}") from None
