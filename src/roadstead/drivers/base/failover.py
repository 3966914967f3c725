"""What an engine must offer that decides which of two gateways has the addresses; the rules of
`drivers.base` hold here, too."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from roadstead.model import world as w
from roadstead.model.gateways import GatewayState
from roadstead.model.pairs import PairSpec


class Failover(Protocol):
    """Elects, puts the addresses on the winner's interfaces and takes them off the loser's."""

    def check(self) -> None:
        """DriverError when nothing can be elected on this host: then nobody else must be told to
        take over."""
        ...

    def ensure(self, place: w.Place, spec: PairSpec) -> None:
        """The place stands for election, for exactly these addresses. Those asked for no more are
        off a moment later. Transient when it cannot, as while the place is not there."""
        ...

    def ensure_absent(self, place_id: str) -> None:
        """It does not stand any more. What addresses it had it keeps, and nobody is told: the
        other side takes over when it has missed us for a while."""
        ...

    def stop_all(self) -> None:
        """No place of this host stands any more; the other sides take over at once."""
        ...

    def holds(self, place: w.Place) -> bool:
        """Whether the place has the addresses now."""
        ...

    def forget_connections(self, place: w.Place) -> None:
        """The place knows of no connection. While it has not the addresses others pass them on:
        it must not judge them by what it saw before."""
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Every place that stands: kind pair, id = place id."""
        ...


class Mirror(Protocol):
    """A gateway that does what another one decided; the filer has been asked already."""

    def ensure_flows(
        self, place: w.Place, flows: Sequence[tuple[w.ExportSpec, Sequence[w.RuleSpec]]]
    ) -> None:
        """The place passes exactly these shares, for exactly these rules."""
        ...

    def ensure_server_absent(self, place: w.Place) -> None:
        """Neither rules nor files are left."""
        ...

    def report(self, place: w.Place) -> GatewayState:
        """How the gateway is now."""
        ...
