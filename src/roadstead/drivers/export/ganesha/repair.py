"""From what is stored to what is served, and what is to be said where the two differ."""

import contextlib
import logging
from collections.abc import Iterable

from roadstead.drivers.export.ganesha.server import Server
from roadstead.drivers.ganesha import conf
from roadstead.drivers.ganesha.bus import Refused
from roadstead.drivers.ganesha.live import LiveExport, live_exports
from roadstead.model.world import Mark

_log = logging.getLogger(__name__)


def serve(server: Server, stored: conf.StoredExport, live: LiveExport | None) -> None:
    """The running server serves the export as its file says. `live` is what it serves now under
    that number. Refused when it will not, and then it may serve it to nobody."""
    file = server.files.path(stored.export_id)
    # A served export's path cannot be changed, only who may use it.
    if live is not None and not (
        live.is_of(stored.instance_id) and live.path == stored.served_path
    ):
        server.bus.remove_export(stored.export_id)
        live = None
    if live is None:
        server.bus.add_export(file, stored.export_id)
    elif not live.admits_as(stored):
        server.bus.update_export(file, stored.export_id)


def undo(server: Server, export_id: int, before: conf.StoredExport | None) -> None:
    """After a refusal the export is stored as it was before, and served so if the server will."""
    # What was refused may be served all the same, to nobody.
    with contextlib.suppress(Refused):
        server.bus.remove_export(export_id)
    if before is None:
        server.files.remove(export_id)
        return
    server.files.write(before)
    with contextlib.suppress(Refused):
        server.bus.add_export(server.files.path(export_id), export_id)


def make_equal(server: Server, exports: Iterable[conf.StoredExport]) -> None:
    """The server serves these exports and no other; one that it refuses is only logged."""
    wanted = {stored.export_id: stored for stored in exports}
    live = live_exports(server.bus)
    for export_id in live.keys() - wanted.keys():
        server.bus.remove_export(export_id)
    for export_id, stored in wanted.items():
        try:
            serve(server, stored, live.get(export_id))
        except Refused:
            _log.exception("export %d is not served", export_id)


def mark(stored: conf.StoredExport | None, live: LiveExport | None) -> Mark | None:
    """The export of one number as found in its file and in the server; None when not ours."""
    if live is None:
        return stored and _mark(stored.instance_id, stored, stored.clients, "not served")
    # Of two entries for one network the first one counts.
    clients = dict(reversed(live.clients))
    if stored is None:
        owner = live.instance_id
        return None if owner is None else _mark(owner, live, clients, "no file")
    if not live.is_of(stored.instance_id) or live.path != stored.served_path:
        return _mark(stored.instance_id, live, clients, "something else is served")
    if not live.admits_as(stored):
        return _mark(stored.instance_id, live, clients, "other clients are admitted")
    # As the rules spell it: the server was told an equivalent it can read.
    return _mark(stored.instance_id, stored, stored.clients, None)


def _mark(
    instance_id: str,
    of: conf.StoredExport | LiveExport,
    clients: dict[str, str],
    broken: str | None,
) -> Mark:
    facts: dict[str, object] = {"export_id": of.export_id, "path": of.path, "clients": clients}
    return Mark(kind="export", id=instance_id, facts=facts, broken=broken)
