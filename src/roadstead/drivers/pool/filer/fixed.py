"""A pool of exports that a filer's administrator made: each share gets one of them, as it is."""

from collections.abc import Iterator

from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.filer.fixed import Assignment, FixedFiler
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import BadRequest, ConfigError, Unsupported

_GIB = 1 << 30


class FixedFilerPool:
    """Shares as exports of a `FixedFiler`; see `roadstead.drivers.base.pool.Pool`. Nothing is
    mounted, made or removed: what a deleted share's tenant left keeps its export out of use until
    the administrator frees it (see `roadstead.drivers.filer.fixed`).

    A share's size is a number of ours, at most its export's. Isolation counts as weak: whether
    two exports lie on one filesystem, only the administrator knows. `tree`, `path` and `mount`
    are for other filers.
    """

    class Options(DriverOptions, frozen=True):
        """None: the filer's control has the exports."""

    def __init__(
        self,
        options: Options,
        *,
        name: str,
        control: FixedFiler,
        tree: str = "",
        path: str = "",
        mount: str = "",
    ) -> None:
        if not control.info.fixed:
            raise ConfigError("pool filer-fixed needs the filer control fixed")
        self.name = name
        self.info = w.PoolInfo(
            kind="filer-fixed", isolation="weak", shrink=True, enforces_size=False
        )
        self._control = control

    def ensure_pool(self) -> None:
        """Every assignment can be read."""
        self._control.assignments()

    def ensure_unmounted(self) -> None:
        """Nothing ever is."""

    def stats(self) -> w.PoolStats:
        """Exports count as a whole: one that is not free yet occupies all of its size."""
        assigned = self._control.assignments()
        sizes = {path: e.size_gib * _GIB for path, e in self._control.exports.items()}
        living = [a for a in assigned.values() if a.serves]
        provisioned = sum(a.size_bytes for a in living)
        return w.PoolStats(
            total=sum(sizes.values()),
            free=sum(size for path, size in sizes.items() if path not in assigned),
            allocated=provisioned,
            provisioned=provisioned,
        )

    def inventory(self) -> Iterator[w.Mark]:
        """Every export that is a share's, or was set aside. One that waits for the administrator
        is nobody's."""
        for kept in self._control.assignments().values():
            if not kept.released:
                yield _mark(kept)

    def ensure_share(self, spec: w.ShareSpec) -> w.ShareOnDisk:
        """An export is this share's, from now on and for good."""
        _check(spec.instance_id)
        return _found(self._control.take(spec.instance_id, spec.size_bytes))

    def find_share(self, instance_id: str) -> w.ShareOnDisk | None:
        """The share if it has an export."""
        _check(instance_id)
        kept = self._control.find(instance_id)
        return None if kept is None else _found(kept)

    def ensure_share_absent(self, instance_id: str) -> None:
        """The share has no export; its bytes stay until the administrator removes them."""
        _check(instance_id)
        self._control.release(instance_id)

    def ensure_share_aside(self, instance_id: str) -> w.Mark | None:
        """The share's export is out of use, and will be the share's again."""
        _check(instance_id)
        kept = self._control.set_aside(instance_id)
        return None if kept is None else _mark(kept)

    def ensure_trash_absent(self, instance_id: str) -> None:
        """As deleted: its bytes stay until the administrator removes them."""
        _check(instance_id)
        self._control.release_aside(instance_id)

    def ensure_size(self, instance_id: str, size_bytes: int) -> w.ShareOnDisk:
        """The share has this size; Unsupported beyond its export's."""
        _check(instance_id)
        return _found(self._control.resize(instance_id, size_bytes))

    def ensure_snapshot(self, ref: w.SnapshotRef) -> None:
        """Unsupported."""
        raise _no_snapshots()

    def ensure_snapshot_absent(self, ref: w.SnapshotRef) -> None:
        """There never is one."""
        _check(ref.instance_id)
        _check(ref.snapshot_id)

    def ensure_clone(self, spec: w.ShareSpec, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """Unsupported."""
        raise _no_snapshots()

    def ensure_reverted(self, snapshot: w.SnapshotRef) -> w.ShareOnDisk:
        """Unsupported."""
        raise _no_snapshots()


def _check(id_: str) -> None:
    if not ids.is_uuid(id_):
        raise BadRequest(f"not a resource id: {id_!r}")


def _no_snapshots() -> Unsupported:
    return Unsupported("an export that the administrator made has no snapshots")


def _mark(kept: Assignment) -> w.Mark:
    facts: dict[str, object] = {"path": kept.path, "size_bytes": kept.size_bytes}
    if kept.since:
        facts["since"] = kept.since
    return w.Mark(kind="trash" if kept.since else "share", id=kept.instance_id, facts=facts)


def _found(kept: Assignment) -> w.ShareOnDisk:
    return w.ShareOnDisk(instance_id=kept.instance_id, path=kept.path, size_bytes=kept.size_bytes)
