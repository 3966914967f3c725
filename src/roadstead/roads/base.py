"""What a road is: pool and export server are the backend's own, the road says where and for whom
its shares are served.

A class with the members of `Road`, named in the entry point group `roadstead.roads` of any package,
is one more road: `roads = ["its name"]` in `[backends.<name>]`, and nothing here needs to know of
it. Roads know no database; what they want of it they ask a `Ledger`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers.base.export import ExportServer
from roadstead.model.networks import NetworkInfo
from roadstead.model.share_networks import Subnet
from roadstead.model.shares import ShareInstance
from roadstead.model.world import Place
from roadstead.roads.addresses import Addresses
from roadstead.roads.networked import Networked


class Secrets(Protocol):
    """Seals and opens what rules are answered with."""

    def seal(self, text: str) -> str:
        """What may be stored. ConfigError without a key."""
        ...

    def unseal(self, sealed: str) -> str:
        """The text again. ConfigError when no key of ours has sealed it."""
        ...


class Ledger(Protocol):
    """What the database has of share servers and of the addresses that stand for shares."""

    def ready(self, server_id: str) -> Place:
        """Where the share server is. Awaiting while an operation makes or changes it, Transient
        while it only says so; DriverError when it could not be made."""
        ...

    def give(
        self,
        server_id: str,
        instance_id: str,
        storage: Sequence[Subnet],
        sources: Mapping[str, Sequence[str]] | None,
        *,
        peers: bool,
    ) -> Addresses:
        """The share has addresses at this server: on each of the tenant's subnets one, and on the
        storage network's one a level, or the `sources` and no others; with them, what the server
        has now. Raises as `ready`, and DriverError when no address is free."""
        ...

    def retire(self, server_id: str, instance_id: str, *, peers: bool) -> Addresses:
        """The share's addresses are not in use any more, and not free before `release`; what the
        server has without them."""
        ...

    def release(self, instance_id: str) -> None:
        """The share's addresses are free."""
        ...


class Servers(Protocol):
    """How a road's share servers are put on networks. `addresses` are read in the server's lock,
    which the caller holds."""

    passes_on: bool  # they are gateways: the bytes are somebody else's, and so are exports

    @property
    def paired(self) -> bool:
        """On another host is one that stands by for each."""
        ...

    def legs(self, tenant: Sequence[Subnet]) -> list[Subnet]:
        """The subnets a server is on, which is on these of the tenant's."""
        ...

    def details(self, export: ExportServer) -> Mapping[str, str]:
        """What their rows say besides, so that the API can tell of it."""
        ...

    def has_flows(self, export: ExportServer) -> bool:
        """A server has addresses of its own for each share."""
        ...

    def ensure_ports(self, networked: Networked, addresses: Addresses) -> None:
        """The server's ports have the addresses that are in use, and no others."""
        ...

    def ensure_ports_again(self, networked: Networked, addresses: Addresses) -> None:
        """So they have, after a reboot, where the export server does not run yet."""
        ...

    def are_right(self, networked: Networked, addresses: Addresses) -> bool:
        """The ports have these addresses, and no others."""
        ...


class Road(Protocol):
    """One way from a backend's shares to VMs; made once for each backend."""

    name: str  # by which the configuration, pools and explanations have it
    isolation: str  # what keeps tenants apart on it
    serves: bool  # False: it takes what another of the backend's roads serves

    @property
    def servers(self) -> Servers | None:
        """None: without share networks, the backend itself exports."""
        ...

    @classmethod
    def check(cls, config: Config) -> None:
        """ConfigError, with the key, when a backend with this road could not be so."""
        ...

    @classmethod
    def make(cls, section: BackendConfig, networked: Networked | None) -> Self:
        """The road of this backend; the world is not touched. `networked`: None on a host that
        has no network driver."""
        ...

    def places(self, own: Place, servers: Mapping[str, Place]) -> dict[str, Place]:
        """Where the backend has export servers, by share server; "" is for shares without one.
        `own`: the place that the configuration says; `servers`: those that are up."""
        ...

    def open(
        self, export: ExportServer, own: Place, instance: ShareInstance, ledger: Ledger
    ) -> Place:
        """There is a way to the share, which is about to be served; returns where. Raises as the
        `ledger` does."""
        ...

    def close(self, export: ExportServer, instance: ShareInstance, ledger: Ledger) -> None:
        """Nothing is left of the way to the share, which is not served any more."""
        ...

    def capabilities(
        self, network: NetworkInfo | None, limits: Mapping[str, int]
    ) -> dict[str, object]:
        """What pools and share types are told besides isolation and share servers. `network`: what
        the host's network driver can do; `limits`: of the backend's share servers."""
        ...
