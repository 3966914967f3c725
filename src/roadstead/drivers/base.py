"""What a driver must offer.

All methods are sync and idempotent. `ensure_x` makes x, or adopts what carries our mark, and
raises `Conflict` if what is there differs; `ensure_x_absent` of something unknown is success.
Errors: `Transient` (try again), `InUse` (somebody holds it), `DriverError` (final). A call killed
at any instruction may be repeated. Calls for different ids may run in parallel threads; the
operation runner never runs two for one id.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from roadstead.model import world as w
from roadstead.model.gateways import GatewayState


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


class ExportServer(Protocol):
    """How the bytes are served."""

    info: w.ExportInfo

    def ensure_server(self, place: w.Place) -> None:
        """The place's server process runs and answers. Its stored exports are served."""
        ...

    def ensure_server_absent(self, place: w.Place) -> None: ...

    def stop_all(self) -> None:
        """No process of this driver runs; what was served is kept for the next start."""
        ...

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share is exported to nobody yet, or to whom `ensure_access` admitted before."""
        ...

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Not exported any more; clients that had it mounted get an error, nothing holds the
        share's filesystem open."""
        ...

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly these rules are in force, the most specific first; sessions of clients that no
        rule admits any more are cut. A rule that cannot be expressed is reported in its outcome
        and left out; the others hold."""
        ...

    def sessions(self, ref: w.ExportRef) -> list[w.Session]: ...

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """What a client gets that connects from `source`, an address of the place's own host, to
        `server`, one of the place's, and looks the share up. Changes nothing, raises nothing for
        a server that does not answer: that is the finding."""
        ...

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export of the place: kind export, id = instance id; facts export_id, path,
        clients ({rule target: level}, as really in force in the running server)."""
        ...


@runtime_checkable
class Gateway(Protocol):
    """What an export server offers besides when it passes on somebody else's filer."""

    def flow_sources(self, instance_id: str) -> Mapping[str, Sequence[str]] | None:
        """{level: addresses} as whom the filer must see the share's clients; None: as we like."""
        ...

    def report(self, place: w.Place) -> GatewayState:
        """How the place's gateway is now: whether the filer answers it, who passes, how much."""
        ...
