"""NFS and SMB at one place: each share is served by the server that speaks its protocol."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.options import DriverOptions, Examined
from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.export.samba.driver import SambaExport
from roadstead.drivers.host.needs import Check
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Unsupported


class Smb(DriverOptions, frozen=True):
    """Options of the SMB servers' own."""

    port: Annotated[int, doc("TCP port of each SMB server", ge=1, le=65535)] = 445


class NfsAndSmb:
    """NFS by a GaneshaExport, SMB by a SambaExport.

    The SMB server of a place is started with its first CIFS export, so a place that serves only
    NFS costs no more than without. The database gives an export id once per host, whatever the
    protocol.
    """

    info = w.ExportInfo(kind="ganesha+samba", protocols=("NFS", "CIFS"))

    class Options(GaneshaExport.Options, frozen=True):
        """Those of driver ganesha, and the SMB servers'."""

        samba: Annotated[Smb, doc("Options of the SMB servers' own")] = Smb()

    def __init__(self, options: Options) -> None:
        self._nfs = GaneshaExport(options)
        # Beside the NFS servers' directories, whose names are places' ids.
        smb_state = Path(options.state_directory).absolute()
        self._smb = SambaExport(
            SambaExport.Options(
                state_directory=str(smb_state.with_name(f"{smb_state.name}-smb")),
                require_mount=options.require_mount,
                port=options.samba.port,
            )
        )

    @classmethod
    def doctor(cls, options: Options, examined: Examined) -> Iterator[Check]:
        """What the NFS servers need."""
        return GaneshaExport.doctor(options, examined)

    def ensure_server(self, place: w.Place) -> None:
        """The place's NFS server runs, and its SMB server if it had one."""
        self._nfs.ensure_server(place)
        if self._smb.has_server(place):
            self._smb.ensure_server(place)

    def ensure_server_absent(self, place: w.Place) -> None:
        """Nothing is left of either."""
        _both(self._smb.ensure_server_absent, self._nfs.ensure_server_absent, place)

    def stop_all(self) -> None:
        """Neither runs anywhere; what was served is kept."""
        try:
            self._smb.stop_all()
        finally:
            self._nfs.stop_all()

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """As the server of its protocol says; Unsupported for another protocol."""
        protocol = spec.proto.upper()
        if protocol == "NFS":
            return self._nfs.ensure_export(spec)
        if protocol != "CIFS":
            raise Unsupported(f"protocol {spec.proto} is not served here, only NFS and CIFS")
        if self._nfs.has_server(spec.place) and not self._smb.has_server(spec.place):
            self._smb.ensure_server(spec.place)
        return self._smb.ensure_export(spec)

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Neither serves the share. Both are told: a killed call may have forgotten one."""
        _both(self._smb.ensure_export_absent, self._nfs.ensure_export_absent, ref)

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """As the server that exports the share says."""
        return self._of(ref).ensure_access(ref, rules)

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """Clients of the server that exports the share."""
        return self._of(ref).sessions(ref)

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """A client of the server that exports the share has tried."""
        return self._of(ref).probe(ref, server=server, source=source)

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export of either."""
        yield from self._nfs.inventory(place)
        yield from self._smb.inventory(place)

    def _of(self, ref: w.ExportRef) -> ExportServer:
        return self._smb if self._smb.has_export(ref) else self._nfs


def _both(first: Callable[[Any], None], second: Callable[[Any], None], what: object) -> None:
    try:
        first(what)
    finally:
        second(what)
