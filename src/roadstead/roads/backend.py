"""A configured backend: a pool, an export server and the roads it offers."""

import copy
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Self

from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.pool import Pool
from roadstead.model.shares import ShareInstance
from roadstead.model.world import Place
from roadstead.roads.base import Road, Secrets, Servers
from roadstead.roads.direct import Direct
from roadstead.roads.network import NetworkServers


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
        road: Road | None = None,
        roads: tuple[str, ...] = (),
        availability_zone: str = "nova",
        reserved_percentage: int = 0,
        max_over_subscription_ratio: float = 20.0,
        secrets: Secrets | None = None,
        server_limits: Mapping[str, int] | None = None,
    ) -> None:
        """`road`: by which its shares are served, the direct one if none is given; `roads`: the
        names of all that it offers; `server_limits`: how many share servers, and what one of them
        may hold, by the names of the pool's capabilities."""
        self.name = name
        self.pool_name = pool_name  # host@backend#pool
        self.pool = pool
        self.export = export
        self.home = place  # its own, as the configuration says
        self.place = place  # where it exports: `home`, or another that its road has
        self.road = road or Direct()
        self.roads = roads or (self.road.name,)
        self.availability_zone = availability_zone
        self.reserved_percentage = reserved_percentage
        self.max_over_subscription_ratio = max_over_subscription_ratio
        self.server_limits = dict(server_limits or {})
        self.secrets = secrets  # seals the keys that rules are answered with
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def servers(self) -> Servers:
        """How its share servers are made; also those left of another road that it had."""
        return self.road.servers or NetworkServers()

    def views(self, servers: Mapping[str, Place]) -> dict[str, Self]:
        """The backend at each of its export servers' places, as `Road.places` has them."""
        return {k: self.at(place) for k, place in self.road.places(self.home, servers).items()}

    def serving(self, instance: ShareInstance, server: Place | None) -> Self:
        """The backend where it exports this share; `server`: its share server's place, if any."""
        key = instance.share_server_id or ""
        return self.views({} if server is None else {key: server}).get(key, self)

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
