"""The network road: how soon a share server is there and gone, and what it takes meanwhile."""

import datetime
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.database import Watch
from bench.processes import Cpu, Service, memory
from bench.table import Figure, p95
from tests.live.api import Api
from tests.roads.network import TYPE, NetworkRoad, Tenant
from tests.waiting import until

SERVERS = 30
FEW = 5  # so many at either end are compared
# No sweep comes between; quotas are not what is measured.
_SETTINGS = {
    "sweep_interval_seconds": 600,
    "quota": {"share_networks": -1, "shares": -1, "gigabytes": -1},
}
_CREATE = (
    "SELECT state, steps_done FROM operations"
    " WHERE verb = 'share_server.create' AND resource_id = ?"
)
_INTERVAL, _LONGEST = 0.001, 60.0


class Rented(msgspec.Struct, kw_only=True):
    """One tenant's share server, and what was measured of it, in milliseconds."""

    share: str
    server: str
    steps: dict[str, float]  # since the server's row was written, until the journal had the step
    usable: float  # from the request until the share was available
    removed: float = 0.0

    @property
    def ready(self) -> float:
        return max(self.steps.values())


def measure() -> list[Figure]:
    """Each tenant has a VXLAN of its own; all are there before the first one goes."""
    with (
        tempfile.TemporaryDirectory() as directory,
        NetworkRoad(Path(directory), settings=_SETTINGS) as road,
    ):
        api, watch = road.service.api(), Watch(road.service)
        tenants = [road.network(api, name=f"t{n}", on=f"tenant/{n}") for n in range(SERVERS + 1)]
        try:
            _torn_down(road.admin, watch, _set_up(api, watch, tenants.pop()))  # loads what it needs
            agent = Service.of(road.service).agent
            before = Cpu.of(agent)
            rented = [_set_up(api, watch, tenant) for tenant in tenants]
            spent = Cpu.of(agent) - before
            kept = _memory(road)
            for one in rented:
                _torn_down(road.admin, watch, one)
        finally:
            watch.close()
    return [*_ready(rented, spent), *_flat(rented), *kept]


def _set_up(api: Api, watch: Watch, tenant: Tenant) -> Rented:
    began = time.monotonic()
    made = api.create_share(wait=False, share_network_id=tenant.network, share_type=TYPE)
    query = "SELECT share_server_id FROM share_instances WHERE share_id = ?"
    server = str(watch.value(query, made["id"]))
    steps = _journalled(watch, server)
    usable = 1000 * (watch.share_available(made["id"]) - began)
    return Rented(share=made["id"], server=server, steps=steps, usable=usable)


def _journalled(watch: Watch, server: str) -> dict[str, float]:
    """When each of its steps was in the journal; with the last one the server is active."""
    query = "SELECT created_at FROM share_servers WHERE id = ?"
    made_at = datetime.datetime.fromisoformat(f"{watch.value(query, server)}+00:00").timestamp()
    found: dict[str, float] = {}

    def look() -> bool:
        state, done = watch.row(_CREATE, server)
        for step in json.loads(done):
            found.setdefault(step, 1000 * (time.time() - made_at))
        return state == "done"

    until(look, f"share server {server} is ready", seconds=_LONGEST, pause=_INTERVAL)
    return found


def _torn_down(admin: Api, watch: Watch, one: Rented) -> None:
    admin.delete_share(one.share)
    began = time.monotonic()
    admin.call("DELETE", f"/share-servers/{one.server}")
    gone = watch.until("SELECT id FROM share_servers WHERE id = ?", [one.server], None)
    one.removed = 1000 * (gone - began)


def _ready(rented: Sequence[Rented], spent: Cpu) -> list[Figure]:
    group = f"network road, VXLAN, {len(rented)} share servers one after the other"
    ready = [one.ready for one in rented]
    return [
        Figure(group=group, name="server ready: row creating → active", unit="ms", target=150,
               value=statistics.median(ready), note=f"median; 95 of 100 in {p95(ready):.0f} ms"),
        *_parts(group, rented),
        Figure(group=group, name="request → its first share is available", unit="ms",
               value=statistics.median(one.usable for one in rented)),
        Figure(group=group, name="server gone", unit="ms",
               value=statistics.median(one.removed for one in rented),
               note="its last share went before; the client's request to the commit"),
        Figure(group=group, name="CPU of the agent", value=spent.own / len(rented), unit="ms",
               note="each, with its share"),
        Figure(group=group, name="CPU of programs", value=spent.programs / len(rented), unit="ms",
               note="nft, mkfs, mount"),
    ]  # fmt: skip


_PARTS = {
    "addresses": "row → address leased",
    "segments": "bridge and VXLAN device",
    "place": "namespace",
    "ports": "port, with its guard",
    "export": "Ganesha started, until it answers",
}


def _parts(group: str, rented: Sequence[Rented]) -> list[Figure]:
    """What each step took, its journal included."""
    found, before = list[Figure](), [0.0] * len(rented)
    for step, name in _PARTS.items():
        until = [one.steps[step] for one in rented]
        value = statistics.median(b - a for a, b in zip(before, until, strict=True))
        found.append(Figure(group=group, name=f"  {name}", value=value, unit="ms"))
        before = until
    return found


def _flat(rented: Sequence[Rented]) -> list[Figure]:
    """As many tenants are there when the last are set up as when the first go."""
    group = f"network road, the {len(rented) - FEW + 1}th to {len(rented)}th tenant"
    up = [one.usable for one in rented]
    down = [one.removed for one in rented]
    return [
        _ratio(group, "time to set up: times the first five's", up[:FEW], up[-FEW:]),
        _ratio(group, "time to tear down: times the first five's", down[:FEW], down[-FEW:]),
    ]


def _ratio(group: str, name: str, first: Sequence[float], last: Sequence[float]) -> Figure:
    one, other = statistics.mean(first), statistics.mean(last)
    note = f"{one:.0f} ms and {other:.0f} ms each"
    return Figure(group=group, name=name, value=other / one, unit="", note=note)


def _memory(road: NetworkRoad) -> list[Figure]:
    group = f"network road, memory with {SERVERS} share servers (PSS)"
    found: dict[str, list[int]] = {}
    for pid in Service.of(road.service).exports:
        found.setdefault(Path(f"/proc/{pid}/comm").read_text().strip(), []).append(pid)
    servers, bus = found["ganesha.nfsd"], memory(found["dbus-daemon"]).pss
    own = memory(servers).pss / len(servers)
    return [
        Figure(group=group, name="each, with its part of the bus", unit="MiB",
               value=own + bus / SERVERS, note=f"{len(servers)} Ganeshas"),
        Figure(group=group, name="the bus", value=bus, unit="MiB", note="one for all"),
    ]  # fmt: skip
