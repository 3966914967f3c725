"""Shares over NFSv4, by NFS-Ganesha: one server process per place, changed while it runs.

The files say what is to be served; they are written first, then the running server is told. So
whatever is killed, `ensure_server` can make the server serve exactly the files again.
"""

import logging
import os.path
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from roadstead.drivers.base.options import Examined
from roadstead.drivers.export.checks import check_export, check_place
from roadstead.drivers.export.ganesha.repair import make_equal, mark, serve, undo
from roadstead.drivers.export.ganesha.server import Server, Settings
from roadstead.drivers.export.options import GaneshaOptions, RequireMount, ServerPort
from roadstead.drivers.ganesha import conf
from roadstead.drivers.ganesha.bus import BusDaemon, Refused
from roadstead.drivers.ganesha.live import LiveExport, find_live, live_exports
from roadstead.drivers.host.needs import Check, port_free
from roadstead.drivers.host.nfs import probe as nfs_probe
from roadstead.model import world as w
from roadstead.model.admission import admit, level_for, locations, plain_address
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, NotFound, Transient
from roadstead.model.ids import pseudo_path

_log = logging.getLogger(__name__)


class GaneshaExport:
    """Exports over NFSv4.1 and 4.2, one server process per place.

    `passes_on` tells whose export each one is, where none is a directory of this host.
    """

    info = w.ExportInfo(kind="ganesha", protocols=("NFS",))

    class Options(GaneshaOptions, frozen=True):
        """Of all servers of the backend."""

        port: ServerPort = 2049
        protocols: Annotated[
            tuple[float, ...],
            doc("Versions of NFS; clients of 4.0 make every restart last a whole grace period"),
        ] = (4.1, 4.2)
        nfs3: Annotated[
            bool,
            doc(
                "NFSv3, too, for compute hosts that mount by FUSE (libnfs 4 cannot write by v4); "
                "needs an rpcbind"
            ),
        ] = False
        require_mount: RequireMount = True

    def __init__(
        self,
        options: Options,
        *,
        passes_on: Callable[[w.ExportSpec], conf.Behind] | None = None,
        before_start: Callable[[w.Place], None] | None = None,
    ) -> None:
        self._options = Settings(
            state_directory=Path(options.state_directory).absolute(),
            run_directory=Path(options.run_directory).absolute(),
            grace=options.grace,
            lease_seconds=options.lease_seconds,
            port=options.port,
            minor_versions=_minor_versions(options.protocols),
            nfs3=options.nfs3,
            proxy=passes_on is not None,
            before_start=before_start,
        )
        self._passes_on = passes_on
        self._require_mount = options.require_mount
        self._bus = BusDaemon(self._options.run_directory)
        self._servers: dict[str, Server] = {}
        self._lock = threading.Lock()

    @classmethod
    def doctor(cls, options: Options, examined: Examined) -> Iterator[Check]:
        """Its port is free, where it would listen at this host's own addresses."""
        if examined.listens_here:
            name = f"port {options.port} ({examined.name})"
            # A `roadstead up` that ended has left its servers running.
            ours = cls(options)
            serving = examined.serving or any(map(ours.pid, ours.places()))
            yield port_free(examined.road, name, options.port, serving=serving)

    def has_server(self, place: w.Place) -> bool:
        """Whether the place was given a server that was not removed since."""
        return self._server(place).is_known

    def places(self) -> list[w.Place]:
        """Those that were given a server, by their ids alone."""
        known = sorted(self._options.state_directory.glob("*/ganesha.conf"))
        return [w.Place(id=file.parent.name) for file in known]

    def stored(self, place: w.Place) -> dict[int, conf.StoredExport]:
        """What is to be served there, by export id."""
        return self._server(place).files.all()

    def pid(self, place: w.Place) -> int | None:
        """The place's server process; None when none runs."""
        return next(iter(self._server(place).pids()), None)

    def ensure_server(self, place: w.Place) -> None:
        """The place's server runs, answers and serves exactly the stored exports.

        An export whose path is not there, or that the server refuses, is left out, and
        `inventory` tells: it must not keep the others from being served. Transient when the
        server does not start.
        """
        server = self._server(place)
        with server.lock:
            self._bus.ensure()
            exports = self._servable(server)
            server.ensure_running(place, exports)
            make_equal(server, exports)

    def ensure_server_absent(self, place: w.Place) -> None:
        """Neither process nor files of the place's server are left."""
        server = self._server(place)
        with server.lock:
            server.ensure_absent()

    def ensure_stopped(self, place: w.Place) -> None:
        """The place's server does not run; what it served is kept for the next `ensure_server`."""
        server = self._server(place)
        with server.lock:
            server.ensure_stopped()

    def stop_all(self) -> None:
        """No server and no message bus of this driver runs; everything stored is kept."""
        for place in self.places():
            self.ensure_stopped(place)
        self._bus.ensure_stopped()

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share is served at these locations, to whom `ensure_access` admitted before.

        Conflict when the export id or the share is taken by another; Transient while the server
        does not answer, or the share is not mounted.
        """
        check_export(spec, proto="NFS")
        server = self._server(spec.place)
        with server.lock:
            before = server.files.find(spec.export_id)
            live = self._find_live(server, spec.export_id)
            for other in (before, live):
                if other is not None and other.instance_id != spec.instance_id:
                    raise Conflict(f"export {spec.export_id} belongs to another share")
            clients: dict[str, str] = {}
            if before is not None:
                clients = before.clients
            elif live is not None:
                # Its file is lost. Whom it serves goes on being served.
                clients = dict(live.clients)
            wanted = conf.StoredExport(
                export_id=spec.export_id,
                instance_id=spec.instance_id,
                path=spec.path,
                clients=clients,
                behind=self._passes_on and self._passes_on(spec),
            )
            self._put(server, wanted, before, live)
        return locations(spec)

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Not served and not stored. Clients that had it mounted get an error at once; nothing
        keeps the share's file system busy. Without a running server only files are removed."""
        server = self._server(ref.place)
        with server.lock:
            if not server.is_known:
                return
            stored = server.files.find(ref.export_id)
            if stored is None or stored.instance_id == ref.instance_id:
                server.files.remove(ref.export_id)
            try:
                live = find_live(server.bus, ref.export_id)
            except Transient:
                if server.pids():
                    raise
                return
            if live is not None and live.is_of(ref.instance_id):
                server.bus.remove_export(ref.export_id)

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly the rules without a problem in their outcome are in force, the most specific
        first. A client no rule admits any more gets an error on its next request, on files it
        has open too. NotFound when the share is not exported there."""
        clients, outcomes = admit(rules, refuse=conf.refuse)
        server = self._server(ref.place)
        with server.lock:
            before = server.files.find(ref.export_id)
            if before is None or before.instance_id != ref.instance_id:
                raise NotFound(f"share instance {ref.instance_id} is not exported there")
            wanted = msgspec.structs.replace(before, clients=clients)
            # Before the server is asked anything: should it not answer, its successor obeys.
            server.files.write(wanted)
            live = self._find_live(server, ref.export_id)
            self._put(server, wanted, before, live)
        return outcomes

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """Clients that were active within the last two leases and that the export admits.

        Ganesha does not tell which export a client uses, so of clients that two exports admit
        some may use only the other.
        """
        server = self._server(ref.place)
        with server.lock:
            live = self._find_live(server, ref.export_id)
            if live is None or not live.is_of(ref.instance_id):
                return []
            seen = server.bus.show_clients()
        # Of two entries for one network the first one counts.
        clients = dict(reversed(live.clients))
        recent = 2 * self._options.lease_seconds
        active = {plain_address(address) for address, idle in seen if idle <= recent}
        return [w.Session(client=a) for a in sorted(active) if level_for(a, clients)]

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """A real NFSv4.1 client has tried, from inside the place's network namespace."""
        return nfs_probe.attempt(
            server,
            self._options.port,
            source=source,
            netns=ref.place.netns,
            path=pseudo_path(ref.instance_id),
        )

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export stored or served: facts of the running server where it serves it, of the
        file where it does not."""
        server = self._server(place)
        with server.lock:
            stored = server.files.all()
            try:
                live = live_exports(server.bus) if server.is_known else {}
            except Transient:
                if server.pids():
                    raise
                live = {}
        for export_id in sorted(stored.keys() | live.keys()):
            found = mark(stored.get(export_id), live.get(export_id))
            if found is not None:
                yield found

    def _server(self, place: w.Place) -> Server:
        check_place(place)
        with self._lock:
            if place.id not in self._servers:
                server = Server(place.id, self._options, self._bus.socket)
                self._servers[place.id] = server
            return self._servers[place.id]

    def _find_live(self, server: Server, export_id: int) -> LiveExport | None:
        if not server.is_known:
            raise Transient("there is no NFS server yet")
        return find_live(server.bus, export_id)

    def _servable(self, server: Server) -> list[conf.StoredExport]:
        """The stored exports whose paths are there; of two of one share the first."""
        found: dict[str, conf.StoredExport] = {}
        for stored in server.files.all().values():
            if self._is_there(stored):
                found.setdefault(stored.instance_id, stored)
            else:
                _log.warning("not served, because %s is not mounted", stored.path)
        return list(found.values())

    def _is_there(self, stored: conf.StoredExport) -> bool:
        path = stored.path
        if stored.behind is not None:
            return True
        return os.path.ismount(path) if self._require_mount else os.path.isdir(path)

    def _put(
        self,
        server: Server,
        wanted: conf.StoredExport,
        before: conf.StoredExport | None,
        live: LiveExport | None,
    ) -> None:
        """Stored and served as wanted; if the server refuses, stored and served as before."""
        if live is None and not self._is_there(wanted):
            raise Transient(f"{wanted.path} is not mounted")
        server.files.write(wanted)
        try:
            serve(server, wanted, live)
        except Refused as error:
            undo(server, wanted.export_id, before)
            pseudo = pseudo_path(wanted.instance_id)
            if before is None and pseudo in server.bus.show_exports().values():
                raise Conflict("the share has another export there") from error
            raise


def _minor_versions(protocols: Sequence[float]) -> tuple[int, ...]:
    return tuple(sorted({round((version - 4) * 10) for version in protocols}))
