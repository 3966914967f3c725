"""A gateway that stands by: it passes what the database says another one passes, and never speaks
to the filer, which has agreed already."""

from collections.abc import Iterator, Sequence

import msgspec

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.export.gateway import rules as rules_text
from roadstead.drivers.export.gateway.driver import GatewayExport
from roadstead.drivers.export.gateway.files import StoredFlow
from roadstead.model import world as w
from roadstead.model.admission import admit
from roadstead.model.errors import Transient
from roadstead.model.ids import pseudo_path


class StandbyGateway(GatewayExport):
    """The rules, files and looks are a gateway's; only who decides is another."""

    def __init__(self, *, filer: Sequence[str], state_directory: str, port: int = 2049) -> None:
        options = self.Options(state_directory=state_directory)
        super().__init__(options, filer=filer, control=_Silent(), port=port)

    def ensure_flows(
        self, place: w.Place, flows: Sequence[tuple[w.ExportSpec, Sequence[w.RuleSpec]]]
    ) -> None:
        """The place passes exactly these shares, for exactly these rules; who lost a level is cut
        at once. Transient while the storage leg is not there."""
        wanted = {spec.export_id: _stored(spec, rules) for spec, rules in flows}
        with self._lock(place):
            files = self._files(place)
            for export_id in files.all().keys() - wanted.keys():
                files.remove(export_id)
            for stored in wanted.values():
                files.write(stored)
            self._apply(place)


def _stored(spec: w.ExportSpec, rules: Sequence[w.RuleSpec]) -> StoredFlow:
    flow = spec.place.flows[spec.instance_id]
    clients, _ = admit(rules)
    stored = StoredFlow(
        export_id=spec.export_id,
        instance_id=spec.instance_id,
        path=spec.path,
        addresses=flow.addresses,
        sources=flow.sources,
        clients=clients,
    )
    # A rule is active only when the filer has said yes.
    return msgspec.structs.replace(stored, granted=rules_text.needed(stored))


class _Silent:
    """Nobody's filer control: it is not asked, and tells nothing."""

    info = FilerInfo(kind="silent")

    def name_of(self, instance_id: str, path: str) -> str:
        """As the Protocol says: nobody mounts it here."""
        return pseudo_path(instance_id)

    def flow_sources(self, instance_id: str) -> None:
        """Any."""

    def ensure_export(self, spec: FilerExport) -> None:
        """Nothing is done."""

    def ensure_export_absent(self, instance_id: str) -> None:
        """Nothing is done."""

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """Nothing is done."""

    def inventory(self) -> Iterator[w.Mark]:
        """Transient: what the filer exports is not known here."""
        raise Transient("a standby gateway does not ask the filer")
