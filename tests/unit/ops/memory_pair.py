"""Both sides of an election, and what the one that stands by passes, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadstead.model.errors import DriverError
from roadstead.model.gateways import GatewayState
from roadstead.model.networks import PortRef
from roadstead.model.world import Mark, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roadstead.drivers.network.memory import MemoryNetwork
    from roadstead.model.pairs import PairSpec
    from roadstead.model.world import ExportSpec, RuleSpec


class MemoryFailover:
    """Of two whose `rival` is each other the one that is `up` and first has the addresses."""

    def __init__(self, network: MemoryNetwork, *, up: bool) -> None:
        self.network, self.up = network, up
        self.parts: dict[str, PairSpec] = {}
        self.forgotten: list[str] = []
        self.missing = ""

    def check(self) -> None:
        if self.missing:
            raise DriverError(self.missing)

    def ensure(self, place: Place, spec: PairSpec) -> None:
        before = self.parts.get(place.id)
        old = {a for mine in before.addresses.values() for a in mine} if before else set()
        self.parts[place.id] = spec
        for mark in self.network.inventory():
            port = self.network.find_port(mark.id) if mark.kind == "port" else None
            if port is None or port.place_id != place.id:
                continue
            wanted = spec.addresses.get(port.interface, ())
            rest = tuple(a for a in port.addresses if a not in old and a not in wanted)
            there = (*rest, *wanted) if self.up else rest
            self.network.set_addresses(PortRef(id=port.id), there)

    def ensure_absent(self, place_id: str) -> None:
        self.parts.pop(place_id, None)

    def stop_all(self) -> None:
        self.parts.clear()

    def holds(self, place: Place) -> bool:
        return self.up and place.id in self.parts

    def forget_connections(self, place: Place) -> None:
        self.forgotten.append(place.id)

    def inventory(self) -> Iterator[Mark]:
        for place_id in list(self.parts):
            yield Mark(kind="pair", id=place_id)


class MemoryMirror:
    """What each place passes: {place: {instance: {client: level}}}."""

    def __init__(self) -> None:
        self.passed: dict[str, dict[str, dict[str, str]]] = {}

    def ensure_flows(
        self, place: Place, flows: Sequence[tuple[ExportSpec, Sequence[RuleSpec]]]
    ) -> None:
        self.passed[place.id] = {
            spec.instance_id: {r.access_to: r.access_level for r in mine} for spec, mine in flows
        }

    def ensure_server_absent(self, place: Place) -> None:
        self.passed.pop(place.id, None)

    def report(self, place: Place) -> GatewayState:
        return GatewayState(health="ok")
