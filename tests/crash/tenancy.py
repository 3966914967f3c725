"""The tenants of a crash stage whose shares are on share servers: two hosts with an underlay."""

from contextlib import ExitStack
from typing import Any

from tests.lab.hosts import TwoHosts
from tests.live.api import Api
from tests.live.service import Roadstead
from tests.roads.network import STORAGE, TYPE, network_section
from tests.temporary import Temporary
from tests.waiting import until

NETWORK = "tenant"
CIDR, SECOND_CIDR = "10.0.0.0/24", "10.7.0.0/24"


class Tenancy(Temporary):
    """Between enter and exit; `begin` when the service runs."""

    admin: Api

    def __init__(self, service: Roadstead) -> None:
        self._service = service
        self._lab = TwoHosts(service.state / "hosts")

    def _make(self, undo: ExitStack) -> None:
        undo.enter_context(self._lab)
        config = self._service.config
        config["backends"]["local"]["roads"] = ["network"]
        config["network"] = {**network_section(self._lab), "unused_minutes": 60}
        config["networks"] = {NETWORK: {"type": "vxlan", "ids": "1000-1003"}}

    @property
    def netns(self) -> str:
        """The host whose share servers they are."""
        return self._lab.hosts[STORAGE].netns

    def begin(self) -> None:
        """There is a share type for share servers."""
        self.admin = self._service.api("roadstead-admin")
        specs = {"driver_handles_share_servers": "True"}
        self.admin.post("/types", {"share_type": {"name": TYPE, "extra_specs": specs}})

    def network(self, api: Api) -> str:
        """The id of a new share network."""
        body = {"name": "crash", "neutron_net_id": NETWORK, "neutron_subnet_id": CIDR}
        return api.post("/share-networks", {"share_network": body})["share_network"]["id"]

    def server_of(self, network: str) -> dict[str, Any]:
        """The network's one share server."""
        (server,) = (s for s in self._servers() if s["share_network_id"] == network)
        return server

    def remove_all(self, api: Api) -> None:
        """No share network is left, and no share server. Their shares went before."""
        for network in api.get("/share-networks/detail")["share_networks"]:
            path = f"/share-networks/{network['id']}"
            for subnet in network["share_network_subnets"][1:]:
                api.call("DELETE", f"{path}/subnets/{subnet['id']}")
            api.call("DELETE", path)
            api.wait_gone(path)
        until(lambda: not self._servers(), "no share server is left", why=self._servers)

    def _servers(self) -> list[dict[str, Any]]:
        return self.admin.get("/share-servers")["share_servers"]
