"""What a driver mends by itself is told all the same: look before, and compare afterwards."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from roadstead.model.drift import Drift
from roadstead.model.errors import RoadsteadError
from roadstead.model.world import Mark
from roadstead.ops.sweeps.findings import Find, guarded
from roadstead.ops.sweeps.looks import Key
from roadstead.roads.backend import Backend


def ensure_all(
    backend: Backend, views: Mapping[str, Backend]
) -> tuple[list[Mark], dict[str, Backend]]:
    """The pool and the export servers of all views (one for each place) are as they were left:
    which shares and exports were not, and the views whose server works. One that does not keeps
    no other from being looked after.

    Each driver is looked at right before it mends: what breaks in between is mended untold.
    """
    shares = _broken(backend.pool.inventory)
    backend.pool.ensure_pool()
    exports: list[Mark] = []
    ready: dict[str, Backend] = {}
    for key, view in views.items():
        exports += _broken(lambda v=view: v.export.inventory(v.place))
        with guarded("export server not ready", place=view.place.id):
            view.export.ensure_server(view.place)
            ready[key] = view
    return [m for m in (*shares, *exports) if m.kind in ("share", "export")], ready


def _broken(look: Callable[[], Iterable[Mark]]) -> list[Mark]:
    """What is broken; nothing of a driver that cannot look before it was mended."""
    with guarded("not looked at before it is mended"), suppress(RoadsteadError):
        return [mark for mark in look() if mark.broken is not None]
    return []


def mended(
    before: Iterable[Mark],
    disks: Mapping[Key, Mark],
    exports: Mapping[str, Mark],
    ours: Collection[str],
) -> list[Find]:
    """What was broken `before`, is one of `ours`, and is not broken any more."""
    found: list[Find] = []
    for was in before:
        now = exports.get(was.id) if was.kind == "export" else disks.get((was.kind, was.id))
        if was.id not in ours or was.broken is None or now is None or now.broken is not None:
            continue
        if was.kind == "share":
            found.append(Find(Drift.MISSING, "share", was.id, was.broken, "mounted again"))
        elif was.facts.get("clients") != now.facts.get("clients"):
            found.append(Find(Drift.DIFFERS, "access", was.id, was.broken, "applied again"))
        else:
            found.append(Find(Drift.MISSING, "export", was.id, was.broken, "exported again"))
    return found
