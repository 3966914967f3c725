"""How the bytes are served."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from roadstead.model import world as w
from roadstead.model.gateways import GatewayState


class ExportServer(Protocol):
    """How the bytes are served."""

    info: w.ExportInfo

    def ensure_server(self, place: w.Place) -> None:
        """The place's server process runs and answers. Its stored exports are served."""
        ...

    def ensure_server_absent(self, place: w.Place) -> None: ...

    def stop_all(self) -> None:
        """No process of this driver runs; what was served is kept for the next start."""
        ...

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share is exported to nobody yet, or to whom `ensure_access` admitted before."""
        ...

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Not exported any more; clients that had it mounted get an error, nothing holds the
        share's filesystem open."""
        ...

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly these rules are in force, the most specific first; sessions of clients that no
        rule admits any more are cut. A rule that cannot be expressed is reported in its outcome
        and left out; the others hold."""
        ...

    def sessions(self, ref: w.ExportRef) -> list[w.Session]: ...

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """What a client gets that connects from `source`, an address of the place's own host, to
        `server`, one of the place's, and looks the share up. Changes nothing, raises nothing for
        a server that does not answer: that is the finding."""
        ...

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every export of the place: kind export, id = instance id; facts export_id, path,
        clients ({rule target: level}, as really in force in the running server)."""
        ...


@runtime_checkable
class Gateway(Protocol):
    """What an export server offers besides when it passes on somebody else's filer."""

    def flow_sources(self, instance_id: str) -> Mapping[str, Sequence[str]] | None:
        """{level: addresses} as whom the filer must see the share's clients; None: as we like."""
        ...

    def report(self, place: w.Place) -> GatewayState:
        """How the place's gateway is now: whether the filer answers it, who passes, how much."""
        ...
