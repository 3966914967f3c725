"""A filer that knows no logical networks, its storage network, and a live service whose gateways
stand in front of it: what the gateway road's tests share."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from roadstead.model.ids import place_netns
from tests.lab.filer import LegacyFiler
from tests.lab.netns import add_netns, in_thread, ip, remove_netns
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import BACKEND, NetworkRoad, Tenant
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.roads.direct import Shared

FILER, FILER6 = "172.30.0.2", "fd30::2"
STORAGE_SUBNETS = ["172.30.0.0/24,172.30.0.20-172.30.0.250", "fd30::/64,fd30::20-fd30::fff0"]
PHYSICAL, DEVICE = "storage", "stor0"


class StorageNetwork(Temporary):
    """A switch with the filer on it and one cable to each host that has gateways."""

    def __init__(self, hosts: Sequence[str], **filer: Any) -> None:
        tag = secrets.token_hex(3)
        self.switch, self.netns = f"rs-{tag}-sw", f"rs-{tag}-filer"
        self._hosts = hosts
        self._filer = filer

    def _make(self, undo: contextlib.ExitStack) -> None:
        for netns in (self.switch, self.netns):
            add_netns(netns)
            undo.callback(remove_netns, netns)
        ip(*"link add br0 type bridge forward_delay 0".split(), netns=self.switch)
        ip(*"link set br0 up".split(), netns=self.switch)
        self._cable(self.netns, "eth0", "filer")
        for number, host in enumerate(self._hosts):
            self._cable(host, DEVICE, f"host{number}")
        for address in (f"{FILER}/24", f"{FILER6}/64"):
            flags = ["nodad"] if ":" in address else []
            ip("address", "add", address, "dev", "eth0", *flags, netns=self.netns)
        self.filer = undo.enter_context(LegacyFiler(self.netns, [FILER, FILER6], **self._filer))

    def _cable(self, netns: str, device: str, port: str) -> None:
        far = ("peer", "name", device, "netns", netns)
        ip("link", "add", port, "type", "veth", *far, netns=self.switch)
        ip("link", "set", port, "master", "br0", "up", netns=self.switch)
        ip("link", "set", device, "up", netns=netns)


class GatewayRoad(NetworkRoad):
    """A service between enter and exit; its gateways are on the first of two hosts."""

    pool, export = "filer", "gateway"
    filer_options: ClassVar[dict[str, Any]] = {}

    def _surround(self, undo: contextlib.ExitStack) -> None:
        hosts = [host.netns for host in self.lab.hosts]
        self.storage = undo.enter_context(StorageNetwork(hosts, **self.filer_options))

    @property
    def filer(self) -> LegacyFiler:
        return self.storage.filer

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        config["backends"] = {BACKEND: self.backend()}
        config["network"]["options"]["physical_networks"][PHYSICAL] = DEVICE
        return config

    def backend(self) -> dict[str, Any]:
        """The backend's configuration."""
        return {
            **self.filer.backend(),
            "pool": self.pool,
            "export": self.export,
            "roads": ["gateway"],
            "storage": {"physical_network": PHYSICAL, "subnets": STORAGE_SUBNETS},
        }

    def everything(self) -> set[str]:
        return GatewayCensus(self).everything()

    # --- looks behind the scenes --------------------------------------------------------------

    def netns(self, tenant: Tenant) -> str:
        """Where the tenant's gateway is."""
        return place_netns(self.server(tenant)["id"])

    def sources(self, share: Shared) -> dict[str, str]:
        """As whom the filer sees the share's clients over IPv4, by level."""
        query = (
            "SELECT purpose, address FROM flow_leases"
            " WHERE instance_id = ? AND purpose <> 'share' AND address LIKE '172.%'"
        )
        with contextlib.closing(self.database()) as database:
            return dict(database.execute(query, (share.instance,)).fetchall())

    def own(self) -> set[str]:
        """The gateways' own addresses on the storage network: they look whether the filer is
        there."""
        query = "SELECT address FROM address_leases WHERE subnet_id LIKE 'storage-%'"
        with contextlib.closing(self.database()) as database:
            return {address for (address,) in database.execute(query).fetchall()}

    def at_filer(self, share: Shared) -> dict[str, str] | None:
        """{address: level} that the filer really admits to the share; None: not exported there."""
        return self.filer.clients().get(share.pseudo)

    def leased(self) -> int:
        """How many addresses stand for shares."""
        with contextlib.closing(self.database()) as database:
            return database.execute("SELECT count(*) FROM flow_leases").fetchone()[0]

    def unfinished(self) -> int:
        """How many operations somebody still works on."""
        query = "SELECT count(*) FROM operations WHERE state NOT IN ('done', 'failed')"
        with contextlib.closing(self.database()) as database:
            return database.execute(query).fetchone()[0]

    def nft(self, tenant: Tenant, *words: str) -> None:
        """As a vandal: by hand, in the tenant's gateway."""
        import subprocess

        def run() -> None:
            subprocess.run(["nft", *words], check=True, capture_output=True)

        in_thread(self.netns(tenant), run)
