"""Recipes of shares."""

from collections.abc import Sequence

from roadstead.model.errors import Conflict, DriverError, RoadsteadError, Transient
from roadstead.model.states import ShareStatus
from roadstead.model.world import ExportPath, Place
from roadstead.ops.ledger import StoreLedger
from roadstead.ops.recipe import Recipe, Run, Step
from roadstead.ops.server_state import place_of_instance
from roadstead.ops.subjects import Columns
from roadstead.roads import serving
from roadstead.roads.serving import GIB
from roadstead.store import export_locations, flows, share_servers
from roadstead.store import shares as store
from roadstead.store.db import Tx


def _make_bytes(run: Run) -> None:
    serving.ensure_bytes(run.backend, run.instance)


def _remove_bytes(run: Run) -> None:
    run.backend.pool.ensure_share_absent(run.instance.id)


def _unmake_bytes(run: Run) -> None:
    """But not a share of another size: that is older than the operation, as after an old database
    came back, and has somebody's data. It goes with the row, when a user deletes that."""
    pool, instance = run.backend.pool, run.instance
    there = [m for m in pool.inventory() if m.kind == "share" and m.id == instance.id]
    if all(m.facts.get("size_bytes") == instance.size_gib * GIB for m in there):
        pool.ensure_share_absent(instance.id)


def _serve(run: Run) -> list[ExportPath]:
    backend = run.backend
    place = backend.road.open(backend.export, backend.home, run.instance, StoreLedger(run.db))
    run.backend = backend.at(place)
    try:
        return serving.ensure_served(run.backend, run.instance)
    except Conflict as error:
        if _has_another_id(run):
            raise Transient(str(error)) from error
        raise


def _has_another_id(run: Run) -> bool:
    """True when an export that has no row had the instance's id: it has another one now, and nobody
    has had a handle of it."""
    marks = list(run.backend.export.inventory(run.backend.place))
    taken = {m.facts.get("export_id") for m in marks if m.id != run.instance.id}
    if run.instance.export_id not in taken:
        return False
    with run.db.write() as tx:
        numbers = {number for number in taken if isinstance(number, int)}
        store.renumber(tx, run.instance, run.operation.host, numbers)
    return True


def _record_paths(run: Run, tx: Tx, paths: Sequence[ExportPath]) -> None:
    place = place_of_instance(tx, run.instance)
    if place is not None and _where(place, run) != _where(run.backend.place, run):
        raise Transient("the share server got another address meanwhile")
    export_locations.replace(tx, run.instance.id, paths)


def _where(place: Place, run: Run) -> tuple[object, ...]:
    """What the share's own clients see of it."""
    return place.addresses, place.flows.get(run.instance.id)


def _unserve(run: Run) -> None:
    # Not while a rule is applied, which would have a filer export it again.
    with run.backend.share_lock(run.instance.id):
        serving.ensure_unserved(run.backend, run.instance)
    run.backend.road.close(run.backend.export, run.instance, StoreLedger(run.db))


def _made(_run: Run, _tx: Tx) -> Columns:
    return {"progress": "100%"}


def _gone(run: Run, tx: Tx) -> Columns:
    flows.release(tx, run.instance.id)
    if run.instance.share_server_id is not None:
        # From now on it may be unused.
        share_servers.update_by_id(tx, run.instance.share_server_id)
    return {}


def _new_size(run: Run) -> int:
    return int(run.operation.payload["new_size_gib"])


def _resize(run: Run) -> None:
    run.backend.pool.ensure_size(run.instance.id, _new_size(run) * GIB)


def _resize_back(run: Run) -> None:
    run.backend.pool.ensure_size(run.instance.id, run.instance.size_gib * GIB)


def _resized(run: Run, tx: Tx) -> Columns:
    size = _new_size(run)
    store.update(tx, run.instance, size_gib=size, reserved_gib=size)
    return {}


def _not_resized(run: Run, tx: Tx, error: RoadsteadError, status: ShareStatus) -> Columns:
    """The old size holds again. A share whose data did not fit is as good as before."""
    store.update(tx, run.instance, reserved_gib=run.instance.size_gib)
    refused = isinstance(error, DriverError) and error.detail_id in ("018", "019")
    return {"status": ShareStatus.AVAILABLE if refused else status}


def _not_extended(run: Run, tx: Tx, error: RoadsteadError) -> Columns:
    return _not_resized(run, tx, error, ShareStatus.EXTENDING_ERROR)


def _not_shrunk(run: Run, tx: Tx, error: RoadsteadError) -> Columns:
    return _not_resized(run, tx, error, ShareStatus.SHRINKING_ERROR)


CREATE = Recipe(
    verb="share.create",
    steps=(
        Step(name="pool", do=_make_bytes, undo=_unmake_bytes),
        Step(name="export", do=_serve, record=_record_paths, undo=_unserve),
    ),
    done=_made,
)
DELETE = Recipe(
    verb="share.delete",
    steps=(Step(name="export", do=_unserve), Step(name="pool", do=_remove_bytes)),
    done=_gone,
)
EXTEND = Recipe(
    verb="share.extend",
    steps=(Step(name="size", do=_resize, undo=_resize_back),),
    done=_resized,
    failed=_not_extended,
)
SHRINK = Recipe(
    verb="share.shrink",
    steps=(Step(name="size", do=_resize, undo=_resize_back),),
    done=_resized,
    failed=_not_shrunk,
)
