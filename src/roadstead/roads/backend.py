"""A configured backend: a pool, an export server and the roads it offers."""

import copy
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.pool import Pool
from roadstead.model.share_networks import Subnet
from roadstead.model.world import Place
from roadstead.roads.network import Networked
from roadstead.store.secrets import SecretBox


class Backend:
    """The drivers of one `[backends.<name>]`, with a lock per share."""

    def __init__(
        self,
        *,
        name: str,
        pool_name: str,
        pool: Pool,
        export: ExportServer,
        place: Place,
        roads: tuple[str, ...] = ("direct",),
        availability_zone: str = "nova",
        reserved_percentage: int = 0,
        max_over_subscription_ratio: float = 20.0,
        secrets: SecretBox | None = None,
        server_limits: Mapping[str, int] | None = None,
        storage: Sequence[Subnet] = (),
        standby: str = "",
        filer: Sequence[str] = (),
    ) -> None:
        """`server_limits`: how many share servers, and what one of them may hold, by the names of
        the pool's capabilities; `storage`: the other leg of its gateways; `standby`: the host that
        stands by for them; `filer`: the addresses of what is behind them."""
        self.name = name
        self.pool_name = pool_name  # host@backend#pool
        self.pool = pool
        self.export = export
        self.place = place
        self.roads = roads
        self.availability_zone = availability_zone
        self.reserved_percentage = reserved_percentage
        self.max_over_subscription_ratio = max_over_subscription_ratio
        self.server_limits = dict(server_limits or {})
        self.storage = tuple(storage)
        self.standby = standby
        self.filer = tuple(filer)
        self.networked: Networked | None = None  # set where there is a network driver
        self.secrets = secrets  # seals the keys that rules are answered with
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def exports_itself(self) -> bool:
        """False when only share servers on tenants' networks export its shares."""
        return not set(self.roads) <= {"network", "gateway"}

    @property
    def is_gateway(self) -> bool:
        """True when its share servers are gateways in front of a filer."""
        return "gateway" in self.roads

    @property
    def passes_flows(self) -> bool:
        """True when its gateways have addresses for each share, and one may have many shares."""
        return self.export.info.gateway == "l4"

    def at(self, place: Place) -> Self:
        """The same backend, exporting at another place: a share server's. Locks are shared."""
        if place == self.place:
            return self
        other = copy.copy(self)
        other.place = place
        return other

    @contextmanager
    def share_lock(self, instance_id: str) -> Generator[None]:
        """One at a time per share: its rules are read and applied as one set, and the sweep does
        not look while a recipe works on it."""
        with self._guard:
            lock = self._locks.setdefault(instance_id, threading.Lock())
        with lock:
            yield
