"""An export server made of dictionaries: what tests and a first look at the service run on."""

import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from roadstead.drivers.base.options import DriverOptions
from roadstead.model import world as w
from roadstead.model.admission import admit, level_for, locations
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, NotFound, Transient, Unsupported


class _Export(msgspec.Struct, frozen=True, kw_only=True):
    instance_id: str
    export_id: int
    path: str
    clients: dict[str, str] = {}


class MemoryExport:
    """Serves nothing, but refuses what a real server refuses.

    `fail` maps a method's name to the exception its next calls raise, until it is taken out.
    """

    class Options(DriverOptions, frozen=True):
        """What it says of itself."""

        addresses: Annotated[
            tuple[str, ...], doc("Those of places that have none of their own")
        ] = ()
        gateway: Annotated[
            Literal["l4", "proxy"] | None, doc("As what kind of gateway it counts")
        ] = None

    def __init__(self, options: Options) -> None:
        self.info = w.ExportInfo(kind="memory", protocols=("NFS",), gateway=options.gateway)
        self.fail: dict[str, Exception] = {}
        self._addresses = options.addresses
        self._places: dict[str, dict[int, _Export]] = {}
        self._lock = threading.RLock()

    def ensure_server(self, place: w.Place) -> None:
        """The place can have exports."""
        with self._calling("ensure_server"):
            self._places.setdefault(place.id, {})

    def ensure_server_absent(self, place: w.Place) -> None:
        """The place has no exports and can have none."""
        with self._calling("ensure_server_absent"):
            self._places.pop(place.id, None)

    def stop_all(self) -> None:
        """Nothing ever runs."""

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """As the Protocol says. Conflict when the export id or the share is taken by another."""
        with self._calling("ensure_export"):
            if spec.proto.upper() not in self.info.protocols:
                raise Unsupported(f"protocol {spec.proto} is not served here")
            exports = self._exports(spec.place)
            if self.info.gateway == "l4" and spec.instance_id not in spec.place.flows:
                raise Transient(f"share instance {spec.instance_id} has no addresses here yet")
            for other in exports.values():
                same = other.instance_id == spec.instance_id
                if same != (other.export_id == spec.export_id):
                    raise Conflict(f"export {other.export_id} belongs to {other.instance_id}")
            before = exports.get(spec.export_id)
            exports[spec.export_id] = _Export(
                instance_id=spec.instance_id,
                export_id=spec.export_id,
                path=spec.path,
                clients={} if before is None else before.clients,
            )
        addresses = spec.place.addresses or self._addresses
        place = msgspec.structs.replace(spec.place, addresses=addresses)
        return locations(msgspec.structs.replace(spec, place=place))

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """The place has no such export."""
        with self._calling("ensure_export_absent"):
            exports = self._places.get(ref.place.id, {})
            if ref.export_id in exports and exports[ref.export_id].instance_id == ref.instance_id:
                del exports[ref.export_id]

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly the rules without a problem are kept. NotFound without such an export."""
        clients, outcomes = admit(rules)
        with self._calling("ensure_access"):
            exports = self._exports(ref.place)
            found = exports.get(ref.export_id)
            if found is None or found.instance_id != ref.instance_id:
                raise NotFound(f"share instance {ref.instance_id} is not exported there")
            exports[ref.export_id] = msgspec.structs.replace(found, clients=clients)
        return outcomes

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """None: nobody can mount anything here."""
        with self._calling("sessions"):
            return []

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """What a real server would answer to that address."""
        with self._calling("probe"):
            if ref.place.id not in self._places:
                return w.Attempt(server=server, source=source, outcome="error", detail="no server")
            found = self._places[ref.place.id].get(ref.export_id)
            mine = found is not None and found.instance_id == ref.instance_id
            if found is None or not mine or level_for(source, found.clients) is None:
                return w.Attempt(
                    server=server, source=source, outcome="refused", nfs_status="NFS4ERR_NOENT"
                )
            return w.Attempt(server=server, source=source, outcome="admitted", nfs_status="NFS4_OK")

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export of the place."""
        with self._calling("inventory"):
            found = list(self._places.get(place.id, {}).values())
        for export in found:
            facts: dict[str, object] = {
                "export_id": export.export_id,
                "path": export.path,
                "clients": dict(export.clients),
            }
            yield w.Mark(kind="export", id=export.instance_id, facts=facts)

    def _calling(self, method: str) -> threading.RLock:
        """The lock, for the length of one call; raises what the tests wanted raised."""
        if method in self.fail:
            raise self.fail[method]
        return self._lock

    def _exports(self, place: w.Place) -> dict[int, _Export]:
        if place.id not in self._places:
            raise Transient("there is no NFS server yet")
        return self._places[place.id]
