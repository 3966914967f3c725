"""Shares over SMB3, by Samba: one server per place, changed while it runs.

The files say what is to be served; they are written first, then the running server is told. So
whatever is killed, `ensure_server` can make the server serve exactly the files again.
"""

import logging
import os.path
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from roadstead.drivers.export.checks import check_export, check_place
from roadstead.drivers.export.options import RequireMount, ServerOptions, ServerPort
from roadstead.drivers.export.samba import conf
from roadstead.drivers.export.samba import probe as samba_probe
from roadstead.drivers.export.samba.repair import admit, cut, marks, retire
from roadstead.drivers.export.samba.server import Server, Settings
from roadstead.model import world as w
from roadstead.model.admission import plain_address
from roadstead.model.errors import Conflict, NotFound, Transient
from roadstead.model.user_admission import admit_users, probe_user

_log = logging.getLogger(__name__)


class SambaExport:
    """Exports over SMB 3.0 to 3.1.1, signed, to users with a password; one server per place.

    Rules name users. A user is one account of the place's server, with one password for all
    shares of one owner; another owner's rule for the same name is refused.
    """

    info = w.ExportInfo(kind="samba", protocols=("CIFS",))

    class Options(ServerOptions, frozen=True):
        """Of all servers of the backend."""

        port: ServerPort = 445
        require_mount: RequireMount = True

    def __init__(self, options: Options) -> None:
        directory = Path(options.state_directory).absolute()
        self._options = Settings(state_directory=directory, port=options.port)
        self._require_mount = options.require_mount
        self._servers: dict[str, Server] = {}
        self._lock = threading.Lock()

    def has_server(self, place: w.Place) -> bool:
        """Whether the place was given a server that was not removed since."""
        return self._server(place).is_known

    def has_export(self, ref: w.ExportRef) -> bool:
        """Whether the share is stored as an export of the place."""
        return self._server(ref.place).files.find_instance(ref.instance_id) is not None

    def ensure_server(self, place: w.Place) -> None:
        """The place's server runs, listens and serves exactly the stored exports.

        An export whose path is not there is left out, and `inventory` tells. Transient when the
        server does not start.
        """
        server = self._server(place)
        with server.lock:
            server.ensure_running(place, self._servable(server))
            for stored in server.files.all().values():
                cut(server, stored)

    def ensure_server_absent(self, place: w.Place) -> None:
        """Neither processes nor files of the place's server are left."""
        server = self._server(place)
        with server.lock:
            server.ensure_absent()

    def stop_all(self) -> None:
        """No server of this driver runs; everything stored is kept."""
        for file in sorted(self._options.state_directory.glob("*/smb.conf")):
            server = self._server(w.Place(id=file.parent.name))
            with server.lock:
                server.ensure_stopped()

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share is served at these locations, to whom `ensure_access` admitted before.

        Conflict when the export id or the share is taken by another; Transient while there is no
        server, or the share is not mounted.
        """
        check_export(spec, proto="CIFS")
        server = self._server(spec.place)
        with server.lock:
            _need_running(server)
            before = server.files.find(spec.export_id)
            same = server.files.find_instance(spec.instance_id)
            if before != same:
                raise Conflict(f"export {spec.export_id} or its share is exported otherwise there")
            if not self._is_there(spec.path):
                raise Transient(f"{spec.path} is not mounted")
            wanted = conf.StoredExport(
                export_id=spec.export_id,
                instance_id=spec.instance_id,
                path=spec.path,
                owner=spec.owner or spec.instance_id,
            )
            if before is not None:
                kept = {"users": before.users, "targets": before.targets, "cut": before.cut}
                wanted = msgspec.structs.replace(wanted, **kept)
            if before is not None and before.path != spec.path:
                wanted = msgspec.structs.replace(wanted, cut=sorted({*before.users, *before.cut}))
            conf.share_text(wanted)  # raises for a path that cannot be written
            self._put(server, wanted)
        addresses = spec.place.addresses
        return [w.ExportPath(path=conf.location(a, spec.instance_id)) for a in addresses]

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Not served and not stored. Clients that had it mounted get an error at once; nothing
        keeps the share's file system busy."""
        server = self._server(ref.place)
        with server.lock:
            found = server.files.find_instance(ref.instance_id)
            if not server.is_known or (found is not None and found.export_id != ref.export_id):
                return
            if found is not None:
                server.files.remove(ref.export_id)
            server.publish(self._servable(server))
            if server.is_running():
                server.control.reload()
                # Also when nothing is stored: we may have been killed just before.
                server.control.cut(conf.share_name(ref.instance_id), once=(), ever=None)
            retire(server)

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly the rules without a problem in their outcome are in force, and each outcome has
        the user's password. Connections of users whose level has changed are cut; so are those of
        users no rule admits any more, for good. NotFound when the share is not exported there."""
        users, admitted = admit_users(rules)
        server = self._server(ref.place)
        with server.lock:
            before = server.files.find(ref.export_id)
            if before is None or before.instance_id != ref.instance_id:
                raise NotFound(f"share instance {ref.instance_id} is not exported there")
            taken = {name for name in users if server.accounts.is_taken(name, before.owner)}
            users = {name: users[name] for name in users.keys() - taken}
            changed = {name for name in before.users if before.users[name] != users.get(name)}
            outcomes = [admit(server, before.owner, rule, taken) for rule in admitted]
            wanted = msgspec.structs.replace(
                before,
                users=dict(sorted(users.items())),
                targets={a.target: users[a.user] for a in admitted if a.user in users},
                cut=sorted(changed | set(before.cut)),
            )
            # Before the server is asked anything: should it not run, its successor obeys.
            server.files.write(wanted)
            _need_running(server)
            self._put(server, wanted)
            retire(server)
        return outcomes

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """Clients that are connected to the share."""
        server = self._server(ref.place)
        with server.lock:
            if not server.is_running():
                return []
            found = server.control.tree_connects(conf.share_name(ref.instance_id))
        clients = {plain_address(tcon.client) for tcon in found}
        return [w.Session(client=client) for client in sorted(clients)]

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """A real SMB3 client has tried, from inside the place's network namespace, as the share's
        own probe user: admitted while a rule for `probe_user` is in force."""
        user = probe_user(ref.instance_id)
        return samba_probe.attempt(
            server,
            self._options.port,
            source=source,
            netns=ref.place.netns,
            share=conf.share_name(ref.instance_id),
            user=user,
            password=self._server(ref.place).accounts.password(user),
        )

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export that is stored, or named in the configuration that the server was told."""
        server = self._server(place)
        with server.lock:
            stored = list(server.files.all().values())
            published = server.published()
            running = bool(stored or published) and server.is_running()
        yield from marks(stored, published, running=running)

    def _server(self, place: w.Place) -> Server:
        check_place(place)
        with self._lock:
            if place.id not in self._servers:
                self._servers[place.id] = Server(place.id, self._options)
            return self._servers[place.id]

    def _servable(self, server: Server) -> list[conf.StoredExport]:
        """The stored exports whose paths are there."""
        found = list(server.files.all().values())
        for stored in found:
            if not self._is_there(stored.path):
                _log.warning("not served, because %s is not mounted", stored.path)
        return [stored for stored in found if self._is_there(stored.path)]

    def _is_there(self, path: str) -> bool:
        return os.path.ismount(path) if self._require_mount else os.path.isdir(path)

    def _put(self, server: Server, wanted: conf.StoredExport) -> None:
        """Stored and served as wanted; nobody is connected who must not be."""
        server.files.write(wanted)
        server.publish(self._servable(server))
        if wanted.users or wanted.cut:  # otherwise it is nobody's, before as after
            server.control.reload()
        cut(server, wanted)


def _need_running(server: Server) -> None:
    if not server.is_known:
        raise Transient("there is no SMB server yet")
    if not server.is_running():
        raise Transient("the SMB server does not run")
