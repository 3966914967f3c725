"""Export rules by a program of the administrator's own, for filers we know nothing about.

It is called with a verb as its only argument and one JSON object on its standard input:

    export    {"instance_id", "export_id", "path",      the directory is exported under `name` to
               "name", "clients": {address: level}}     exactly these clients, level rw or ro; a
                                                        client not named is refused at once
    unexport  {"instance_id"}                           not exported; unknown is success
    size      {"path", "size_bytes"}                    no more than that below the directory; only
                                                        called with option limits_size
    list      {}                                        prints {"exports": [...]}: those of ours,
                                                        each as it was given to `export`

Every verb may be called again at any time, also after it was killed half-way. Exit status:

    0   done
    65  (EX_DATAERR)   size: there is more in the share than that
    69  (EX_UNAVAILABLE)  the filer cannot do this verb
    73  (EX_CANTCREAT) the name is somebody else's on the filer
    75  (EX_TEMPFAIL)  the filer does not answer; try again

Any other is final, and the last line of its standard error is what the operator reads.
"""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.filer import paths
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, DriverError, Transient, Unsupported
from roadstead.model.ids import pseudo_path

_TOO_MUCH, _CANNOT, _TAKEN, _AGAIN = 65, 69, 73, 75


class _Listed(msgspec.Struct, frozen=True):
    exports: list[FilerExport] = []


class HookFiler:
    """Calls `program` (its path and first arguments); see this module for what it has to do."""

    class Options(DriverOptions, frozen=True):
        """The program."""

        program: Annotated[str | tuple[str, ...], doc("Its path, or its path and first arguments")]
        limits_size: Annotated[bool, doc("It knows the verb size")] = False
        timeout: Annotated[
            float, doc("Seconds until it is killed, which counts as no answer", gt=0)
        ] = 60.0

    def __init__(self, options: Options) -> None:
        program = options.program
        self.info = FilerInfo(kind="hook", limits_size=options.limits_size)
        self._program = [program] if isinstance(program, str) else list(program)
        self._timeout = options.timeout

    def name_of(self, instance_id: str, path: str) -> str:
        """As the Protocol says: ours to choose."""
        return pseudo_path(instance_id)

    def flow_sources(self, instance_id: str) -> None:
        """Any."""

    def ensure_export(self, spec: FilerExport) -> None:
        """The program says that it is exported to exactly these clients."""
        paths.check(spec)
        self._call("export", spec)

    def ensure_export_absent(self, instance_id: str) -> None:
        """The program says that it is not exported."""
        self._call("unexport", {"instance_id": instance_id})

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """The program says that the filer takes no more."""
        if not self.info.limits_size:
            raise Unsupported("this filer limits no sizes")
        self._call("size", {"path": path, "size_bytes": size_bytes})

    def inventory(self) -> Iterator[w.Mark]:
        """What the program lists."""
        try:
            listed = msgspec.json.decode(self._call("list", {}), type=_Listed)
        except msgspec.DecodeError as error:
            raise DriverError(f"{self._program[0]} list: not the answer: {error}") from error
        for export in listed.exports:
            facts: dict[str, object] = {
                "export_id": export.export_id,
                "path": export.path,
                "name": export.name,
                "clients": dict(export.clients),
            }
            yield w.Mark(kind="export", id=export.instance_id, facts=facts)

    def _call(self, verb: str, about: object) -> str:
        stdin = msgspec.json.encode(about).decode() + "\n"
        try:
            return run([*self._program, verb], stdin=stdin, timeout=self._timeout)
        except CommandFailed as error:
            lines = error.output.strip().splitlines()
            said = f"the filer's program, {verb}: {lines[-1][-300:] if lines else error.status}"
            raise _typed(error.status, said) from error


def _typed(status: int, said: str) -> Exception:
    if status == _AGAIN:
        return Transient(said)
    if status == _TAKEN:
        return Conflict(said)
    if status == _CANNOT:
        return Unsupported(said)
    return DriverError(said, detail_id="018" if status == _TOO_MUCH else "001")
