"""Two hosts with one filer: gateways on the first, and an agent on the second that stands by."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from roadstead.agent.takedown import take_down
from roadstead.config import load as configuration
from roadstead.model.errors import InUse
from roadstead.model.ids import place_netns, standby_place
from tests.lab.hosts import UNDERLAY
from tests.lab.netns import ip
from tests.lab.process import spawn, stop, until_ready
from tests.lab.requirements import LabError, require
from tests.roads.gateway import DEVICE, PHYSICAL, GatewayRoad
from tests.roads.network import BACKEND, COMPUTE, STORAGE, processes
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from tests.temporary import Temporary
from tests.roads.network import Tenant

ACTIVE, STANDBY = "node1", "node2"
CABLES = (UNDERLAY, DEVICE)


class PairedRoad(GatewayRoad):
    """A service between enter and exit; the second host stands by for its gateways."""

    def _make(self, undo: contextlib.ExitStack) -> None:
        require("keepalived", "conntrackd", root=True)
        super()._make(undo)
        self.standby = undo.enter_context(StandbyHost(self))

    def backend(self) -> dict[str, Any]:
        return {**super().backend(), "standby": STANDBY}

    # --- looks behind the scenes --------------------------------------------------------------

    def namespaces(self, tenant: Tenant) -> dict[str, str]:
        """Where the tenant's two gateways are, by agent."""
        with contextlib.closing(self.database()) as database:
            query = "SELECT id FROM share_servers WHERE share_network_id = ?"
            ((server_id,),) = database.execute(query, (tenant.network,)).fetchall()
        places = {ACTIVE: server_id, STANDBY: standby_place(server_id)}
        return {agent: place_netns(place) for agent, place in places.items()}

    def holders(self, tenant: Tenant, address: str) -> list[str]:
        """Agents whose gateway of that tenant has the address now."""
        namespaces = self.namespaces(tenant)
        return [a for a, netns in namespaces.items() if address in addresses_in(netns)]

    def wait_held(self, tenant: Tenant, address: str, by: str) -> None:
        """Only that one's gateway has it."""
        until(lambda: self.holders(tenant, address) == [by], f"{by} alone has {address}")

    def roles(self, tenant: Tenant) -> dict[str, str]:
        """What the service tells of the tenant's two gateways, by agent."""
        url = f"{self.admin.url}/roadstead/v1/gateways"
        found = self.admin.session.get(url, timeout=60).json()["gateways"]
        mine = (g for g in found if g["share_network_id"] == tenant.network)
        return {g["host"]: g["role"] for g in mine}

    def set_rule_state(self, rule_id: str, state: str) -> None:
        """Behind everybody's back."""
        with contextlib.closing(self.database()) as database, database:
            query = "UPDATE access_rules SET state = ? WHERE id = ?"
            database.execute(query, (state, rule_id))

    def kill_gateways(self, tenant: Tenant) -> None:
        """keepalived and conntrackd on the active side are dead; addresses and rules stay in the
        kernel."""
        conf = f"{self.service.state}/run/pairs/"
        for pid, words in processes().items():
            program = os.path.basename(words[0])
            if program in ("keepalived", "conntrackd") and any(conf in w for w in words):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def pull_cables(self) -> None:
        """The first host is cut off, from tenants and from storage."""
        for device in CABLES:
            ip("link", "set", device, "down", netns=self.host.netns)

    def plug_cables(self) -> None:
        """It is not any more."""
        for device in CABLES:
            ip("link", "set", device, "up", netns=self.host.netns)


class StandbyHost(Temporary):
    """The second host's agent; it shares the service's database and nothing else."""

    def __init__(self, road: PairedRoad) -> None:
        self._road = road

    def _make(self, undo: contextlib.ExitStack) -> None:
        made = undo.enter_context(tempfile.TemporaryDirectory(prefix="rs-standby-"))
        self.state = Path(made)
        self._effective = self.state / "effective.json"
        file = self.state / "roadstead.toml"
        file.write_text(tomli_w.dumps(self._config()))
        configuration.write_effective(configuration.load(file, {}), self._effective)
        undo.callback(self._take_down)
        undo.callback(self.stop)
        self.start()

    def start(self) -> None:
        """The agent has looked at its host once."""
        agent = [sys.executable, "-m", "roadstead.agent", "--config", str(self._effective)]
        with (self.state / "log").open("ab") as output:
            self._agent = spawn(agent, output=output)
        mark, about = self.state / "agent.ready", "the standby's agent is ready"
        until_ready(self._agent, mark.exists, about, seconds=60, log=self.log)

    def stop(self) -> None:
        """The agent has ended; what it made stays."""
        stop(self._agent)
        (self.state / "agent.ready").unlink(missing_ok=True)

    def _take_down(self) -> None:
        """A VM's card keeps its segment: that goes with the host."""
        with contextlib.suppress(InUse):
            take_down(configuration.read_effective(self._effective))

    def log(self) -> str:
        """What the agent said last."""
        return (self.state / "log").read_text()[-6000:]

    def _config(self) -> dict[str, Any]:
        road = self._road
        host = road.lab.hosts[COMPUTE]
        backend = road.backend()
        options = {
            "underlay": UNDERLAY,
            "vxlan_remotes": [host.peer],
            "physical_networks": {PHYSICAL: DEVICE},
            "netns": host.netns,
            "owner": host.netns,
            "ovs_database": "unix:/nowhere",
        }
        return {
            "host": STANDBY,
            "state_directory": str(self.state),
            "run_directory": str(self.state),
            "database": f"sqlite:///{road.service.state}/db/roadstead.sqlite",
            "backends": {},
            "standbys": {
                BACKEND: {"of": ACTIVE, "filer": backend["filer"], "storage": backend["storage"]}
            },
            "network": {"driver": "segments", "options": options},
            "sweep_interval_seconds": 1,
            "leak_grace_seconds": 1,
        }


def addresses_in(netns: str) -> set[str]:
    """Every address of the namespace, without prefix length; () when there is no such."""
    try:
        links = json.loads(ip("-j", "address", "show", netns=netns))
    except LabError:  # there is no such namespace, or no more
        return set()
    return {a["local"] for link in links for a in link.get("addr_info", ()) if "local" in a}


__all__ = ["ACTIVE", "STANDBY", "STORAGE", "PairedRoad", "addresses_in"]
