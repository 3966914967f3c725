"""Exports that a filer's administrator made once and for all: handed out, never changed.

Each one is handed to one share, and what that share's tenant leaves in it stays there: we may
not even look inside. So it is never handed out again by itself. To free one, the administrator
empties its directory and removes its file below `state_directory` (named after its path); a file
whose `released` is not true belongs to a share that lives.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.filer import paths
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import ConfigError, Conflict, DriverError, NotFound, Unsupported
from roadstead.process.files import write_durably

_GIB = 1 << 30


class FixedExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One export as the administrator describes it. `rw` and `ro` are addresses on the storage
    network which the filer admits at that level: nobody else's, on any other export."""

    path: str  # the directory, as the filer calls it
    name: str  # what its clients mount
    size_gib: int
    rw: tuple[str, ...] = ()
    ro: tuple[str, ...] = ()

    @property
    def clients(self) -> dict[str, str]:
        """{address: level} of all it admits."""
        return dict.fromkeys(self.rw, "rw") | dict.fromkeys(self.ro, "ro")


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Whose an export is, or was last. `clients` are those a gateway has asked for; `since`: the
    share was set aside then, and may come back."""

    path: str
    instance_id: str
    size_bytes: int
    released: bool = False
    export_id: int = 0
    clients: dict[str, str] = {}
    since: float = 0.0

    @property
    def serves(self) -> bool:
        """True while it is a share's."""
        return not self.released and not self.since


class FixedFiler:
    """The `exports`, and who has which of them."""

    info = FilerInfo(kind="fixed", fixed=True)

    class Options(DriverOptions, frozen=True):
        """The administrator's exports."""

        exports: Annotated[
            tuple[FixedExport, ...],
            doc(
                "Tables with path (the filer's directory), name (what its clients mount), "
                "size_gib, rw and ro (addresses on the storage network that it admits)"
            ),
        ]
        state_directory: Annotated[str, doc("Which share has which of them")]

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"state_directory": where.state_directory}

    def __init__(self, options: Options) -> None:
        exports = options.exports
        self.exports = {export.path: export for export in exports}
        admitted = [address for export in exports for address in (*export.rw, *export.ro)]
        # One address for two exports: nothing at the filer would keep two tenants apart.
        for what, values in (("path", [e.path for e in exports]), ("address", admitted)):
            if len(set(values)) != len(values):
                raise ConfigError(f"two fixed exports have one {what}")
        self._directory = Path(options.state_directory)
        self._lock = threading.Lock()

    # --- for the pool -------------------------------------------------------------------------

    def take(self, instance_id: str, size_bytes: int) -> Assignment:
        """The share's export: the one it has, or the smallest free one that is large enough.
        Conflict when it has one for another size; DriverError 009 when none is free."""
        with self._lock:
            assigned = self._assignments()
            kept = _of(assigned, instance_id) or self._taken_back(assigned, instance_id)
            if kept is not None:
                if kept.size_bytes != size_bytes:
                    raise Conflict(f"share {instance_id} is there with {kept.size_bytes} bytes")
                return kept
            free = (e for p, e in self.exports.items() if p not in assigned)
            fitting = [export for export in free if export.size_gib * _GIB >= size_bytes]
            if not fitting:
                raise DriverError("no free export of the filer is large enough", detail_id="009")
            path = min(fitting, key=lambda export: (export.size_gib, export.path)).path
            made = Assignment(path=path, instance_id=instance_id, size_bytes=size_bytes)
            self._write(made)
            return made

    def find(self, instance_id: str) -> Assignment | None:
        """The export the share has; None when it has none."""
        with self._lock:
            return _of(self._assignments(), instance_id)

    def resize(self, instance_id: str, size_bytes: int) -> Assignment:
        """The share has this size. NotFound without an export, Unsupported beyond the export's."""
        with self._lock:
            kept = self._kept(instance_id)
            if size_bytes > self.exports[kept.path].size_gib * _GIB:
                raise Unsupported("the filer's export of this share is not that large")
            changed = msgspec.structs.replace(kept, size_bytes=size_bytes)
            self._write(changed)
            return changed

    def release(self, instance_id: str) -> None:
        """The share has no export any more; nobody gets it before the administrator freed it."""
        with self._lock:
            for kept in _all_of(self._assignments(), instance_id):
                self._release(kept)

    def set_aside(self, instance_id: str) -> Assignment | None:
        """The share's export is nobody's, and becomes its own again when it is taken again; None
        when it has none."""
        with self._lock:
            assigned = self._assignments()
            kept = _of(assigned, instance_id)
            if kept is None:
                return next(iter(_all_of(assigned, instance_id)), None)
            aside = msgspec.structs.replace(kept, since=time.time(), export_id=0, clients={})
            self._write(aside)
            return aside

    def release_aside(self, instance_id: str) -> None:
        """Nothing of the share is set aside: nobody gets its export before it was freed."""
        with self._lock:
            for kept in _all_of(self._assignments(), instance_id):
                if kept.since:
                    self._release(kept)

    def assignments(self) -> dict[str, Assignment]:
        """By path: exports that are some share's, or were and are not freed yet."""
        with self._lock:
            return self._assignments()

    # --- for the gateway ----------------------------------------------------------------------

    def flow_sources(self, instance_id: str) -> dict[str, tuple[str, ...]]:
        """{level: storage-side addresses} the gateway has to use for the share: the
        administrator's rules name these and no other. NotFound without an export."""
        with self._lock:
            export = self.exports[self._kept(instance_id).path]
        return {level: found for level in ("rw", "ro") if (found := getattr(export, level))}

    def name_of(self, instance_id: str, path: str = "") -> str:
        """What the administrator said. NotFound without an export."""
        with self._lock:
            return self.exports[self._kept(instance_id).path].name

    def ensure_export(self, spec: FilerExport) -> None:
        """Noted that these clients are wanted: the filer admits them already, and always.
        DriverError when it does not; Unsupported by another name than the administrator's."""
        paths.check(spec)
        with self._lock:
            kept = self._kept(spec.instance_id)
            export = self.exports[kept.path]
            if (spec.path, spec.name) != (export.path, export.name):
                raise Unsupported(f"this export of the filer is {export.name}, and stays so")
            if spec.clients.items() - export.clients.items():
                raise DriverError("the filer's administrator admits other addresses there")
            clients = dict(spec.clients)
            self._write(msgspec.structs.replace(kept, export_id=spec.export_id, clients=clients))

    def ensure_export_absent(self, instance_id: str) -> None:
        """No client is wanted any more. The filer would still admit the export's own addresses,
        which are nobody else's."""
        with self._lock:
            kept = _of(self._assignments(), instance_id)
            if kept is not None:
                self._write(msgspec.structs.replace(kept, export_id=0, clients={}))

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """Unsupported: nothing can be changed on the filer."""
        raise Unsupported("this filer's exports are its administrator's")

    def inventory(self) -> Iterator[w.Mark]:
        """Every export a gateway asked for."""
        for kept in self.assignments().values():
            if kept.export_id and kept.serves:
                facts: dict[str, object] = {
                    "export_id": kept.export_id,
                    "path": kept.path,
                    "name": self.exports[kept.path].name,
                    "clients": dict(kept.clients),
                }
                yield w.Mark(kind="export", id=kept.instance_id, facts=facts)

    # --- inside -------------------------------------------------------------------------------

    def _kept(self, instance_id: str) -> Assignment:
        kept = _of(self._assignments(), instance_id)
        if kept is None:
            raise NotFound(f"share {instance_id} has no export of the filer")
        return kept

    def _taken_back(
        self, assigned: Mapping[str, Assignment], instance_id: str
    ) -> Assignment | None:
        aside = next(iter(_all_of(assigned, instance_id)), None)
        if aside is None:
            return None
        kept = msgspec.structs.replace(aside, since=0.0)
        self._write(kept)
        return kept

    def _release(self, kept: Assignment) -> None:
        self._write(msgspec.structs.replace(kept, released=True, since=0.0, clients={}))

    def _assignments(self) -> dict[str, Assignment]:
        found: dict[str, Assignment] = {}
        for path in self.exports:
            try:
                found[path] = msgspec.json.decode(self._file(path).read_bytes(), type=Assignment)
            except FileNotFoundError:
                continue
            except msgspec.DecodeError as error:
                raise DriverError(f"{self._file(path)} was damaged: {error}") from error
        return found

    def _write(self, kept: Assignment) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(kept)).decode()
        write_durably(self._file(kept.path), text + "\n")

    def _file(self, path: str) -> Path:
        return self._directory / f"{quote(path, safe='')}.json"


def _of(assigned: Mapping[str, Assignment], instance_id: str) -> Assignment | None:
    return next((a for a in _all_of(assigned, instance_id) if a.serves), None)


def _all_of(assigned: Mapping[str, Assignment], instance_id: str) -> list[Assignment]:
    """Also those set aside."""
    return [a for a in assigned.values() if a.instance_id == instance_id and not a.released]
