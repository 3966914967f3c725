"""Export rules on an administrator's NFS-Ganesha, told over its D-Bus."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.filer import paths
from roadstead.drivers.filer.ganesha.rules import CHANGE_NAME, Rule, RulesFile
from roadstead.drivers.ganesha import conf
from roadstead.drivers.ganesha.bus import GaneshaBus, Refused
from roadstead.drivers.ganesha.live import LiveExport, live_exports
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, DriverError, Unsupported
from roadstead.model.ids import pseudo_path

SYSTEM_BUS = "/run/dbus/system_bus_socket"
_LAST_NUMBER = 65535  # 16 bits in its file handles


class GaneshaFiler:
    """Exports on an NFS-Ganesha 4 that this agent can reach by a socket: on the same machine, or
    with its bus and `config_directory` handed on from there.

    The administrator's own exports are never touched.
    """

    info = FilerInfo(kind="ganesha")

    class Options(DriverOptions, frozen=True):
        """How the filer is reached."""

        config_directory: Annotated[
            str,
            doc(
                "Where roadstead.conf is: the filer's configuration ends with "
                '%include "<config_directory>/roadstead.conf" (an empty file at first)'
            ),
        ]
        bus: Annotated[str, doc("The socket of its message bus: a path, or unix:path=…")] = (
            SYSTEM_BUS
        )
        dbus_prefix: Annotated[str, doc("Its Dbus_Name_Prefix")] = ""
        first_export_id: Annotated[
            int, doc("The export numbers from here on are ours", ge=1, le=_LAST_NUMBER)
        ] = 10000
        directory_there: Annotated[
            str, doc("What the filer calls config_directory; '' = the same")
        ] = ""

    def __init__(self, options: Options) -> None:
        here = options.config_directory
        self._rules = RulesFile(Path(here))
        self._change_there = Path(options.directory_there or here) / CHANGE_NAME
        bus = Path(options.bus.removeprefix("unix:path="))
        self._bus = GaneshaBus(bus, options.dbus_prefix)
        self._first = options.first_export_id

    def name_of(self, instance_id: str, path: str) -> str:
        """As the Protocol says: ours to choose."""
        return pseudo_path(instance_id)

    def flow_sources(self, instance_id: str) -> None:
        """Any."""

    def ensure_export(self, spec: FilerExport) -> None:
        """Stored, and served to exactly these clients; any other is refused from its next request
        on. Conflict when the name is somebody else's."""
        paths.check(spec)
        with self._rules.locked():
            before = self._rules.read()
            live, served = self._live(spec.instance_id, spec.name, before)
            _refuse_others_name(spec, before, live)
            number = self._number(spec, before, live, served)
            wanted = Rule(
                instance_id=spec.instance_id,
                export_id=spec.export_id,
                number=number,
                path=spec.path,
                name=spec.name,
                clients=dict(sorted(spec.clients.items())),
            )
            self._rules.write({**before, spec.instance_id: wanted})
            try:
                self._serve(wanted, self._ours(live, before))
            except Refused:
                self._undo(wanted, before)
                raise

    def ensure_export_absent(self, instance_id: str) -> None:
        """Neither served nor stored: whoever had it mounted gets an error at once."""
        with self._rules.locked():
            rules = self._rules.read()
            live, _ = self._live(instance_id, "", rules)
            for number, export in self._ours(live, rules).items():
                if paths.instance_of(export.path) == instance_id:
                    self._bus.remove_export(number)
            # Last: what is served without a file would be nobody's.
            rules.pop(instance_id, None)
            self._rules.write(rules)

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """Unsupported: Ganesha limits no sizes."""
        raise Unsupported("this filer limits no sizes")

    def inventory(self) -> Iterator[w.Mark]:
        """Every export of ours, stored or served."""
        with self._rules.locked():
            rules, live = self._rules.read(), live_exports(self._bus)
        for rule in rules.values():
            yield _mark(rule, live.get(rule.number))
        # Of our directories, but in no file: another installation's are of other directories.
        roots = {_parent(rule.path) for rule in rules.values()}
        for export in self._ours(live, rules).values():
            id_ = paths.instance_of(export.path)
            if id_ and id_ not in rules and _parent(export.path) in roots:
                yield _orphan(id_, export)

    # --- inside -------------------------------------------------------------------------------

    def _live(
        self, instance_id: str, name: str, rules: Mapping[str, Rule]
    ) -> tuple[dict[int, LiveExport], set[int]]:
        """What is served and may have to do with the share, and the numbers of all there is: to
        look at every other share's export takes too long where there are hundreds."""
        shown = self._bus.show_exports()
        others = {r.number: r.name for r in rules.values() if r.instance_id != instance_id}
        near = [n for n, pseudo in shown.items() if pseudo == name or others.get(n) != pseudo]
        return live_exports(self._bus, near), set(shown)

    def _ours(
        self, live: Mapping[int, LiveExport], rules: Mapping[str, Rule]
    ) -> dict[int, LiveExport]:
        """Those of our directories under numbers of ours: an administrator may export one, too."""
        numbers = {rule.number for rule in rules.values()}
        return {
            number: export
            for number, export in live.items()
            if paths.instance_of(export.path) and (number >= self._first or number in numbers)
        }

    def _number(
        self,
        spec: FilerExport,
        rules: Mapping[str, Rule],
        live: Mapping[int, LiveExport],
        served: set[int],
    ) -> int:
        """The number the share has had, or one that nobody has: handles of clients contain it."""
        kept = rules.get(spec.instance_id)
        if kept and (kept.number not in live or _is_of(live[kept.number], spec)):
            return kept.number
        orphan = next((n for n, e in self._ours(live, rules).items() if _is_of(e, spec)), None)
        if orphan is not None:
            return orphan
        taken = {rule.number for rule in rules.values()} | served
        # Beginning where its own number would be keeps a new share off a deleted one's handles.
        count = _LAST_NUMBER - self._first + 1
        for offset in range(count):
            number = self._first + (spec.export_id - 1 + offset) % count
            if number not in taken:
                return number
        raise DriverError(f"the filer has no export number left from {self._first} on")

    def _serve(self, wanted: Rule, live: Mapping[int, LiveExport]) -> None:
        for number, export in live.items():
            # A served export's directory and name cannot be changed, only who may use it.
            old = paths.instance_of(export.path) == wanted.instance_id
            if old and not (number == wanted.number and _is_exactly(export, wanted)):
                self._bus.remove_export(number)
        there = live.get(wanted.number)
        if there is None or not _is_exactly(there, wanted):
            self._rules.write_change(wanted)
            self._bus.add_export(self._change_there, wanted.number)
        elif there.clients != conf.served_clients(wanted.clients):
            self._rules.write_change(wanted)
            self._bus.update_export(self._change_there, wanted.number)

    def _undo(self, wanted: Rule, before: Mapping[str, Rule]) -> None:
        """After a refusal nobody is served by it, and the file is as it was."""
        # What was refused may be served all the same, to whomever it read before the fault.
        with contextlib.suppress(Refused):
            self._bus.remove_export(wanted.number)
        self._rules.write(before)


def _refuse_others_name(
    spec: FilerExport, rules: Mapping[str, Rule], live: Mapping[int, LiveExport]
) -> None:
    others = (rule for rule in rules.values() if rule.instance_id != spec.instance_id)
    stored = any(rule.name == spec.name for rule in others)
    served = any(e.pseudo == spec.name and not _is_of(e, spec) for e in live.values())
    if stored or served:
        raise Conflict(f"{spec.name} is somebody else's on the filer")


def _is_of(export: LiveExport, spec: FilerExport) -> bool:
    return paths.instance_of(export.path) == spec.instance_id


def _is_exactly(export: LiveExport, rule: Rule) -> bool:
    return (export.path, export.pseudo) == (rule.path, rule.name)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _mark(rule: Rule, live: LiveExport | None) -> w.Mark:
    broken = None
    clients = rule.clients
    if live is None:
        broken = "not served"
    elif not _is_exactly(live, rule):
        broken = "something else is served"
    elif live.clients != conf.served_clients(rule.clients):
        broken, clients = "other clients are admitted", _clients(live)
    return _facts(rule.instance_id, rule.export_id, rule.path, rule.name, clients, broken)


def _orphan(instance_id: str, live: LiveExport) -> w.Mark:
    return _facts(
        instance_id, live.export_id, live.path, live.pseudo, _clients(live), "in no file of ours"
    )


def _facts(
    id_: str, export_id: int, path: str, name: str, clients: dict[str, str], broken: str | None
) -> w.Mark:
    facts: dict[str, object] = {
        "export_id": export_id,
        "path": path,
        "name": name,
        "clients": clients,
    }
    return w.Mark(kind="export", id=id_, facts=facts, broken=broken)


def _clients(live: LiveExport) -> dict[str, str]:
    # Of two entries for one network the first one counts.
    return {net.removesuffix("/32").removesuffix("/128"): to for net, to in reversed(live.clients)}
