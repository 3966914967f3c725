"""A pool without a world: for tests, and as the shortest complete example of a pool driver."""

import os
import shutil
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from roadstead.drivers.base.options import DriverOptions
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import BadRequest, Conflict, DriverError, NotFound, Unsupported


class MemoryPool:
    """Shares as entries of a dict; see `roadstead.drivers.base.pool.Pool`. Ends with the process.

    With `path`, every share is also a real directory below it, and snapshots are copies: contents
    can be written, exported and compared. Without, `ShareOnDisk.path` names nothing.

    `fail["ensure_share"] = Transient("…")` makes that method raise, before it does anything, until
    the entry is deleted.
    """

    class Options(DriverOptions, frozen=True):
        """How much there is."""

        total_gib: Annotated[int, doc("What the pool says it has room for", ge=1)] = 1000
        path: Annotated[
            str, doc("Below it every share is a real directory, too; '' = contents are nowhere")
        ] = ""

    def __init__(self, options: Options, *, name: str) -> None:
        self.name = name
        self.info = w.PoolInfo(
            kind="memory",
            isolation="weak",
            snapshot=True,
            clone=True,
            revert=True,
            shrink=True,
            min_bytes=1,
        )
        self.fail: dict[str, Exception] = {}
        self._total = options.total_gib << 30
        self._root = Path(options.path) if options.path else None
        self._sizes: dict[str, int] = {}  # by instance id
        self._snapshots: dict[str, int] = {}  # by snapshot id: the share's size then
        self._aside: dict[str, tuple[int, float]] = {}  # by instance id: its size, since when
        self._lock = threading.RLock()

    def ensure_pool(self) -> None:
        """Always ready."""
        with self._called("ensure_pool"):
            if self._root:
                self._root.mkdir(parents=True, exist_ok=True)

    def ensure_unmounted(self) -> None:
        """Nothing is ever mounted."""

    def stats(self) -> w.PoolStats:
        """Every share occupies what it was promised."""
        with self._called("stats"):
            given = sum(self._sizes.values())
            return w.PoolStats(
                total=self._total,
                free=max(0, self._total - given),
                allocated=given,
                provisioned=given,
            )

    def ensure_share(self, spec: w.ShareSpec) -> w.ShareOnDisk:
        """The share is there with exactly this size."""
        with self._called("ensure_share", spec.instance_id):
            self._give_back(spec.instance_id)
            if not self._adopt(spec):
                self._add(spec, None)
            return self._found(spec.instance_id)

    def find_share(self, instance_id: str) -> w.ShareOnDisk | None:
        """The share if it is there; None otherwise."""
        with self._called("find_share", instance_id):
            return self._found(instance_id) if instance_id in self._sizes else None

    def ensure_share_absent(self, instance_id: str) -> None:
        """The share is gone."""
        with self._called("ensure_share_absent", instance_id):
            self._sizes.pop(instance_id, None)
            self._remove(instance_id)
            self._remove_aside(instance_id)

    def ensure_share_aside(self, instance_id: str) -> w.Mark | None:
        """The share is kept under another name."""
        with self._called("ensure_share_aside", instance_id):
            if instance_id in self._sizes:
                if instance_id in self._aside:
                    raise Conflict(f"{self._at(_aside_name(instance_id))} is in the way")
                self._aside[instance_id] = (self._sizes.pop(instance_id), time.time())
                self._move(instance_id, _aside_name(instance_id))
            return self._aside_mark(instance_id) if instance_id in self._aside else None

    def ensure_trash_absent(self, instance_id: str) -> None:
        """What was kept is gone."""
        with self._called("ensure_trash_absent", instance_id):
            self._remove_aside(instance_id)

    def ensure_size(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        """The share has this size. DriverError 018 when its files are larger together."""
        with self._called("ensure_size", instance_id):
            grown = size_bytes - self._known(instance_id)
            if size_bytes < self.info.min_bytes:
                raise Unsupported(f"a share has at least {self.info.min_bytes} bytes")
            if grown < 0 and self._used(instance_id) > size_bytes:
                raise DriverError("the share holds more data than that", detail_id="018")
            self._need_room(grown)
            self._sizes[instance_id] = size_bytes
            return self._found(instance_id)

    def ensure_snapshot(self, ref: w.SnapshotRef) -> None:
        """A copy of the share exists."""
        with self._called("ensure_snapshot", ref.instance_id, ref.snapshot_id):
            if ref.snapshot_id not in self._snapshots:
                size_bytes = self._known(ref.instance_id)
                self._copy(ref.instance_id, ref.snapshot_id)
                self._snapshots[ref.snapshot_id] = size_bytes

    def ensure_snapshot_absent(self, ref: w.SnapshotRef) -> None:
        """The snapshot is gone."""
        with self._called("ensure_snapshot_absent", ref.instance_id, ref.snapshot_id):
            self._snapshots.pop(ref.snapshot_id, None)
            self._remove(ref.snapshot_id)

    def ensure_clone(self, spec: w.ShareSpec, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """A share whose content began as the snapshot's."""
        with self._called("ensure_clone", spec.instance_id, snapshot.snapshot_id):
            self._give_back(spec.instance_id)
            if not self._adopt(spec):
                if spec.size_bytes < self._snapshot(snapshot):
                    raise Unsupported("a clone cannot be smaller than its snapshot")
                self._add(spec, snapshot.snapshot_id)
            return self._found(spec.instance_id)

    def ensure_reverted(self, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """The origin's content and size are the snapshot's."""
        with self._called("ensure_reverted", snapshot.instance_id, snapshot.snapshot_id):
            size_bytes = self._snapshot(snapshot)
            self._known(snapshot.instance_id)
            self._copy(snapshot.snapshot_id, snapshot.instance_id)
            self._sizes[snapshot.instance_id] = size_bytes
            return self._found(snapshot.instance_id)

    def inventory(self) -> Iterator[w.Mark]:
        """Every share and snapshot, and what was set aside, as they were at the first step."""
        with self._called("inventory"):
            found = [("share", *item) for item in self._sizes.items()]
            found += [("snapshot", *item) for item in self._snapshots.items()]
            aside = [self._aside_mark(id_) for id_ in self._aside]
        for kind, id_, size_bytes in found:
            yield w.Mark(kind=kind, id=id_, facts={"size_bytes": size_bytes, "path": self._at(id_)})
        yield from aside

    # --- inside -------------------------------------------------------------------------------

    @contextmanager
    def _called(self, method: str, *named: str) -> Generator[None]:
        for id_ in named:
            if not ids.is_uuid(id_):
                raise BadRequest(f"not a resource id: {id_!r}")
        if method in self.fail:
            raise self.fail[method]
        with self._lock:
            yield

    def _adopt(self, spec: w.ShareSpec) -> bool:
        if spec.size_bytes < self.info.min_bytes:
            raise Unsupported(f"a share has at least {self.info.min_bytes} bytes")
        size_bytes = self._sizes.get(spec.instance_id)
        if size_bytes not in (None, spec.size_bytes):
            raise Conflict(f"share {spec.instance_id} exists with {size_bytes} bytes")
        return size_bytes is not None

    def _add(self, spec: w.ShareSpec, origin: str | None) -> None:
        self._need_room(spec.size_bytes)
        self._copy(origin, spec.instance_id)
        self._sizes[spec.instance_id] = spec.size_bytes

    def _need_room(self, more: int) -> None:
        if sum(self._sizes.values()) + max(0, more) > self._total:
            raise DriverError(f"pool {self.name} is full", detail_id="009")

    def _known(self, instance_id: str) -> int:
        if instance_id not in self._sizes:
            raise NotFound(f"share {instance_id} is not in pool {self.name}")
        return self._sizes[instance_id]

    def _snapshot(self, ref: w.SnapshotRef) -> int:
        if ref.snapshot_id not in self._snapshots:
            raise NotFound(f"there is no snapshot {ref.snapshot_id}")
        return self._snapshots[ref.snapshot_id]

    def _at(self, id_: str) -> str:
        return str((self._root or Path("/memory", self.name)) / id_)

    def _found(self, instance_id: str) -> w.ShareOnDisk:
        return w.ShareOnDisk(
            instance_id=instance_id,
            path=self._at(instance_id),
            size_bytes=self._sizes[instance_id],
        )

    def _give_back(self, instance_id: str) -> None:
        if instance_id in self._aside and instance_id not in self._sizes:
            self._sizes[instance_id] = self._aside.pop(instance_id)[0]
            self._move(_aside_name(instance_id), instance_id)

    def _aside_mark(self, instance_id: str) -> w.Mark:
        size_bytes, since = self._aside[instance_id]
        path = self._at(_aside_name(instance_id))
        facts: dict[str, object] = {"size_bytes": size_bytes, "path": path, "since": since}
        return w.Mark(kind="trash", id=instance_id, facts=facts)

    def _remove_aside(self, instance_id: str) -> None:
        self._aside.pop(instance_id, None)
        self._remove(_aside_name(instance_id))

    def _move(self, name: str, other: str) -> None:
        if self._root:
            (self._root / name).rename(self._root / other)

    def _used(self, instance_id: str) -> int:
        tree = os.walk(self._at(instance_id)) if self._root else ()
        return sum(
            os.lstat(os.path.join(at, name)).st_size for at, _, names in tree for name in names
        )

    def _remove(self, id_: str) -> None:
        if self._root:
            shutil.rmtree(self._root / id_, ignore_errors=True)

    def _copy(self, origin: str | None, target: str) -> None:
        self._remove(target)
        if self._root and origin:
            shutil.copytree(self._root / origin, self._root / target, symlinks=True)
        elif self._root:
            (self._root / target).mkdir(parents=True)


def _aside_name(instance_id: str) -> str:
    return f"kept-{instance_id}"
