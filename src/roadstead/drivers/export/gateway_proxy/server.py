"""The servers of proxy gateways: run, looked after, and introduced to the filer."""

import logging
import threading
from collections.abc import Mapping

import msgspec

from roadstead.drivers.base.filer import FilerControl, FilerExport
from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.export.gateway_proxy import guard, view
from roadstead.drivers.ganesha.conf import Behind, StoredExport
from roadstead.drivers.host import process
from roadstead.model import gateways as g
from roadstead.model import world as w
from roadstead.model.errors import Transient
from roadstead.model.ids import pseudo_path

_log = logging.getLogger(__name__)


class Filer(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is, what it calls shares, and how its rules are made."""

    address: str
    port: int
    prefix: str
    control: FilerControl

    def behind(self, spec: w.ExportSpec) -> Behind:
        """What the share's gateway passes on. It looks at it from its own first address."""
        return Behind(
            address=self.address,
            port=self.port,
            name=self.name(spec.instance_id),
            seen_from=spec.place.addresses[:1],
        )

    def has_moved(self, stored: StoredExport) -> bool:
        """The share was stored for another filer, or by another name there."""
        there = stored.behind and (stored.behind.address, stored.behind.port, stored.behind.name)
        return there != (self.address, self.port, self.name(stored.instance_id))

    def name(self, instance_id: str) -> str:
        """What the filer's clients mount."""
        return self.prefix + pseudo_path(instance_id)

    def needed(self, place: w.Place, clients: Mapping[str, str]) -> dict[str, str]:
        """{address of the gateway: level} for these clients. It must be able to look, at least."""
        six = ":" in self.address
        source = next((address for address in place.storage if (":" in address) == six), None)
        if source is None:
            raise Transient("the gateway has no address on the filer's network yet")
        return {source: level(clients)}

    def agree(self, of: w.ExportSpec | w.ExportRef, path: str, clients: Mapping[str, str]) -> None:
        """The filer admits the gateway, as far as its clients need."""
        self.control.ensure_export(
            FilerExport(
                instance_id=of.instance_id,
                export_id=of.export_id,
                path=path,
                name=self.name(of.instance_id),
                clients=self.needed(of.place, clients),
            )
        )


class ProxyServers:
    """One NFS-Ganesha per place, with one export."""

    def __init__(self, filer: Filer, ganesha: GaneshaExport) -> None:
        self._filer, self._ganesha = filer, ganesha
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def lock(self, place: w.Place) -> threading.RLock:
        """Held by whoever changes what is stored or runs there."""
        with self._guard:
            return self._locks.setdefault(place.id, threading.RLock())

    def stored(self, place: w.Place, instance_id: str) -> StoredExport | None:
        """The share as it is to be served there."""
        found = self._ganesha.stored(place).values()
        return next((stored for stored in found if stored.instance_id == instance_id), None)

    def revive(self, place: w.Place, *, anew: bool = True) -> tuple[str, str]:
        """The server runs and gets at the filer, if that can be; (health, detail) of what is.
        Unless `anew`, a place without a server is left without.

        Nobody waits for the lock while we wait for the filer: clients are to be cut at once.
        """
        guard.ensure(place, self._filer.port)
        health, detail = self._look(place)
        with self.lock(place):
            if not anew and not self._ganesha.has_server(place):
                return g.BROKEN, "there is no server"
            if health in (g.BROKEN, view.REFUSED):  # or was something being done about it?
                health, detail = self._look_again(place)
            running = self._ganesha.pid(place) is not None
            if health == g.UNREACHABLE and not running:
                return health, detail  # it would wait for the filer, and we for it
            if health == g.BROKEN and running:
                _log.warning("gateway %s is started anew: %s", place.id, detail)
                self._ganesha.ensure_stopped(place)
            self._ganesha.ensure_server(place)
            self.count(place)
        if health == view.REFUSED:
            return g.BROKEN, f"the filer refuses the gateway: {detail}"
        return (health, detail) if health == g.UNREACHABLE else (g.OK, "")

    def count(self, place: w.Place) -> None:
        """Bytes are counted from the server's start on."""
        pid = self._ganesha.pid(place)
        began = None if pid is None else process.started_at(pid)
        if began is not None:
            guard.count(place, self._filer.port, began)

    def _look(self, place: w.Place) -> tuple[str, str]:
        found, pid = (g.OK, ""), self._ganesha.pid(place)
        for stored in self._ganesha.stored(place).values():
            found = view.look(place, stored, pid)
        return found

    def _look_again(self, place: w.Place) -> tuple[str, str]:
        """With the filer's rules as they have to be."""
        found = self._look(place)
        if found[0] == view.REFUSED:
            for stored in self._ganesha.stored(place).values():
                self._filer.agree(reference(place, stored), stored.path, stored.clients)
            found = self._look(place)
        return found


def reference(place: w.Place, stored: StoredExport) -> w.ExportRef:
    """Who is stored there."""
    return w.ExportRef(instance_id=stored.instance_id, export_id=stored.export_id, place=place)


def level(clients: Mapping[str, str]) -> str:
    """The highest level of these clients; ro when there is none."""
    return "rw" if "rw" in clients.values() else "ro"
