"""Where the bytes live."""

from collections.abc import Iterator
from typing import Protocol

from roadstead.model import world as w


class Pool(Protocol):
    """Where the bytes live."""

    info: w.PoolInfo

    def stats(self) -> w.PoolStats:
        """Capacity now."""
        ...

    def ensure_unmounted(self) -> None:
        """Nothing of the pool is mounted or held; all bytes stay. InUse when a share is open."""
        ...

    def ensure_pool(self) -> None:
        """The pool itself is ready (mounted, directories there). Called at every agent start.

        After it, whatever a killed predecessor left half-done (a frozen filesystem, temporary
        names) is undone, and every share image found is mounted again.
        """
        ...

    def ensure_share(self, spec: w.ShareSpec) -> w.ShareOnDisk:
        """The share's filesystem is there, mounted, with exactly this size; if it was set aside,
        it is back as it was.

        Conflict when it exists with another size; Unsupported below `info.min_bytes`;
        DriverError when the disk is full.
        """
        ...

    def find_share(self, instance_id: str) -> w.ShareOnDisk | None:
        """The share if it is there and mounted; None otherwise."""
        ...

    def ensure_share_absent(self, instance_id: str) -> None:
        """Neither image, mount nor loop device of the share is left, nor what was set aside of it.
        InUse while it is open."""
        ...

    def ensure_share_aside(self, instance_id: str) -> w.Mark | None:
        """The share is no share any more, and all its bytes are in the trash until
        `ensure_trash_absent`, whatever is started anew meanwhile; its mark there. `ensure_share`
        brings it back. None when there is no such share.

        InUse while it is open; Conflict when another share of this id is in the trash.
        """
        ...

    def ensure_trash_absent(self, instance_id: str) -> None:
        """Nothing is in the trash that was set aside under this id. The share itself, if it is
        there, stays."""
        ...

    def ensure_size(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        """The share has this size; grows and shrinks online.

        DriverError 018 when its data would not fit; 019 when the pool cannot shrink.
        """
        ...

    def ensure_snapshot(self, ref: w.SnapshotRef) -> None:
        """A crash-consistent, unchanging copy exists. NotFound when the share is not there."""
        ...

    def ensure_snapshot_absent(self, ref: w.SnapshotRef) -> None: ...

    def ensure_clone(self, spec: w.ShareSpec, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """A share of its own identity whose content began as the snapshot's."""
        ...

    def ensure_reverted(self, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """The origin's content is the snapshot's. InUse while exported or open."""
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Every mark in this pool: kinds share, snapshot, trash. What was set aside is trash with
        the facts size_bytes, path and `since` (seconds since the epoch). Safe while shares come
        and go."""
        ...
