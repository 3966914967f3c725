"""What this host has for share servers: its network driver, who elects between two gateways, and
which of other hosts' gateways it stands by for."""

import threading

import msgspec

from roadstead.drivers.base.failover import Failover, Mirror
from roadstead.drivers.base.network import Network
from roadstead.model.share_networks import Subnet


class Standby(msgspec.Struct, frozen=True, kw_only=True):
    """One `[standbys.<name>]`: the gateways of a backend that another host's agent has."""

    name: str
    active: str  # host@backend
    storage: tuple[Subnet, ...]  # as the backend itself has it
    filer: tuple[str, ...]  # its addresses
    export: Mirror


class Networked:
    """This host's network driver, and the locks of what several operations change together."""

    def __init__(self, network: Network, failover: Failover | None = None) -> None:
        """`failover`: who decides which of two gateways has the shares' addresses."""
        self.network = network
        self.failover = failover
        self.standbys: tuple[Standby, ...] = ()
        # Who needs a wire is read and acted on as one.
        self.wire_lock = threading.Lock()
        self._servers: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def standby_for(self) -> tuple[str, ...]:
        """host@backend of those whose gateways this host stands by for."""
        return tuple(standby.active for standby in self.standbys)

    def server_lock(self, server_id: str) -> threading.Lock:
        """Which addresses a server's ports have is read and acted on as one."""
        with self._guard:
            return self._servers.setdefault(server_id, threading.Lock())
