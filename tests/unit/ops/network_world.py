"""A world whose backend exports only from share servers: memory drivers, the inline engine."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from roadstead.drivers.network.memory import MemoryNetwork
from roadstead.model.network_pools import NetworkPool
from roadstead.model.networks import PortRef
from roadstead.model.share_networks import ShareNetwork, ShareServer
from roadstead.model.shares import Share
from roadstead.model.world import Place
from roadstead.ops.report import report
from roadstead.ops.runner import Runner
from roadstead.ops.share_servers import opener
from roadstead.ops.sweeps.networks import NetworkSweep
from roadstead.ops.sweeps.shares import ShareSweep
from roadstead.roads.backend import Backend
from roadstead.roads.gateway.road import Gateway
from roadstead.roads.gateway.storage import storage_subnets
from roadstead.roads.network import Network
from roadstead.roads.networked import Networked
from roadstead.service import share_networks, shares, subnets
from roadstead.service.context import Caller
from roadstead.service.new_share import NewShare
from roadstead.service.placement import create
from roadstead.service.share_networks import NewNetwork
from roadstead.service.subnets import NewSubnet
from roadstead.store import allocations, flows, operations, share_servers, share_types
from roadstead.store import shares as share_store
from roadstead.store import tables_networks as t
from roadstead.store.db import utcnow
from tests.factories import HOST, World, make_backend, make_world

POOLS = {"tenants": NetworkPool(name="tenants", kind="vxlan", first=1000, last=1003, mtu=1450)}
STORAGE = storage_subnets(
    ["172.30.0.0/24,172.30.0.10-172.30.0.15"], kind="flat", physical_network="physnet1"
)
KEPT = datetime.timedelta(minutes=10)
_SPECS = {"driver_handles_share_servers": "True"}


class NetworkWorld(msgspec.Struct, kw_only=True):
    """The world, and what the agent has besides: a network driver and its sweep."""

    world: World
    network: MemoryNetwork
    networked: Networked
    runner: Runner

    @property
    def backend(self) -> Backend:
        return self.world.backend

    def renewed_runner(self) -> Runner:
        """As after a start of the agent; the engine calls it from now on."""
        world = self.world
        runner = Runner(
            world.db,
            HOST,
            world.backends,
            retry=lambda operation_id, seconds: world.retries.append((operation_id, seconds)),
            openers={"share_server": opener(world.db, world.backends, self.networked)},
        )
        world.engine.start(runner.run, lambda: None)
        return runner

    def look(self, *, unused: datetime.timedelta = KEPT) -> int:
        """As the agent's sweeps do, until operations that they began have ended."""
        world = self.world
        networks = NetworkSweep(
            world.db, HOST, world.backends, self.networked, world.engine.adopt, unused=unused,
            grace=datetime.timedelta(0),
        )  # fmt: skip
        exports = ShareSweep(
            world.db, HOST, world.backends, self.runner, world.engine.adopt,
            grace=datetime.timedelta(0), places=networks.places,
        )  # fmt: skip
        found = networks.run() + exports.run()
        self.settle()
        return found

    def places(self, backend: Backend) -> dict[str, Place]:
        """Where the backend's share servers are."""
        world = self.world
        sweep = NetworkSweep(
            world.db, HOST, world.backends, self.networked, world.engine.adopt, unused=KEPT
        )
        return sweep.places(backend)

    def settle(self) -> None:
        """Operations that wait are tried again until none is left that can go on."""
        for _ in range(20):
            waiting, self.world.retries[:] = list(self.world.retries), []
            if not waiting:
                return
            for operation_id, _seconds in waiting:
                with self.world.db.write() as tx:
                    operations.update(tx, operation_id, not_before=None)
                self.runner.run(operation_id)

    def run_pending(self, threads: int) -> None:
        """What was submitted is run in its order, by so many threads at once, as an agent does."""
        pending, self.world.engine.pending[:] = list(self.world.engine.pending), []
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self.runner.run, pending))
        self.settle()

    def add_network(self, caller: Caller, cidr: str = "10.0.0.0/24", **more: Any) -> ShareNetwork:
        new = NewNetwork(neutron_net_id="tenants", neutron_subnet_id=cidr, **more)
        return share_networks.create(self.world.service, caller, new)

    def submit_share(self, caller: Caller, network: ShareNetwork, **values: Any) -> Share:
        """A share as the answer to its request shows it."""
        wanted = {"proto": "NFS", "size_gib": 1, "share_type": "dhss", **values}
        new = NewShare(share_network_id=network.id, **wanted)
        return create(self.world.service, caller, new)

    def add_share(self, caller: Caller, network: ShareNetwork, **values: Any) -> Share:
        """A share once its operation, and that of its share server, have ended."""
        made = self.submit_share(caller, network, **values)
        self.settle()
        return shares.get(self.world.service, caller, made.id)

    def delete_share(self, caller: Caller, share: Share) -> None:
        shares.delete(self.world.service, caller, share.id)
        self.settle()

    def submit_subnet(self, caller: Caller, network: ShareNetwork, cidr: str) -> None:
        """One more subnet, on another wire; its check was asked first."""
        new = NewSubnet(neutron_net_id="tenants/2", neutron_subnet_id=cidr)
        service = self.world.service
        assert subnets.ask_create(service, caller, network.id, new, reset=False).compatible
        subnets.create(service, caller, network.id, new, one_per_zone=False)

    def servers(self) -> list[ShareServer]:
        """Every share server, the oldest first."""
        with self.world.db.read() as tx:
            return share_servers.on_host(tx, HOST)[::-1]

    def paths(self, caller: Caller, share: Share) -> list[str]:
        found = shares.export_locations(self.world.service, caller, share.id)
        return sorted(location.path for location in found)

    def marks(self) -> dict[str, list[str]]:
        """Ids of everything of the network's in the world, by kind."""
        found: dict[str, list[str]] = {"segment": [], "place": [], "port": []}
        for mark in self.network.inventory():
            found[mark.kind].append(mark.id)
        return {kind: sorted(ids) for kind, ids in found.items()}

    def exported_at(self, server: ShareServer) -> list[str]:
        """Instances that the server's place exports."""
        return sorted(m.id for m in self.world.export.inventory(Place(id=server.id)))

    def places_served(self) -> list[str]:
        """Places with an export server."""
        return sorted(self.world.export._places)

    def numbers(self) -> list[int]:
        """Segment numbers that are given out."""
        with self.world.db.read() as tx:
            rows = tx.execute(t.segment_numbers.select()).mappings().all()
        return sorted(row["number"] for row in rows)

    def unowned(self) -> list[str]:
        """What is in the world or in the database and belongs to nobody; () after every crash."""
        with self.world.db.read() as tx:
            servers = {s.id for s in share_servers.on_host(tx, HOST)}
            leases = allocations.on_host(tx, HOST)
            rows = tx.execute(t.address_leases.select()).mappings().all()
            passing = tx.execute(t.flow_leases.select()).mappings().all()
            instances = {i.id for i in share_store.instances_on(tx, HOST)}
            live = operations.live_on(tx, HOST)
        marks = self.marks()
        owned = {
            "port": {lease.id for lease in leases},
            "place": servers,
            "segment": {lease.wire for lease in leases},
        }
        found = [f"{k} {i}" for k, ids in marks.items() for i in ids if i not in owned[k]]
        found += [f"lease {row['id']}" for row in rows if row["share_server_id"] not in servers]
        found += [f"export server {i}" for i in self.places_served() if i not in servers]
        found += [f"flow {f['id']}" for f in passing if f["instance_id"] not in instances]
        found += self._strange_addresses()
        return found + [f"operation {o.verb} {o.state}" for o in live]

    def _strange_addresses(self) -> list[str]:
        """Addresses on interfaces that the database has given to nobody there."""
        with self.world.db.read() as tx:
            leases, passing = allocations.on_host(tx, HOST), flows.on_host(tx, HOST)
        found: list[str] = []
        for lease in leases:
            mine = {lease.interface} | {
                p.interface
                for p in passing
                if (p.share_server_id, p.subnet_id) == (lease.share_server_id, lease.subnet_id)
            }
            there = set(self.network.port_addresses(PortRef(id=lease.id)))
            found += [f"address {a}" for a in sorted(there - mine)]
        return found

    def lose_port(self, port_id: str) -> None:
        """As a reboot, or somebody by hand."""
        self.network.ensure_port_absent(PortRef(id=port_id))

    def age(self, server: ShareServer, by: datetime.timedelta) -> None:
        """Nothing has changed about the server for so long."""
        with self.world.db.write() as tx:
            tx.execute(
                t.share_servers.update()
                .where(t.share_servers.c.id == server.id)
                .values(updated_at=utcnow() - by)
            )


def make_network_world(url: str, *, gateway: bool = False, **server_limits: int) -> NetworkWorld:
    """A world without share networks; shares of type `dhss` need one. `gateway`: its share servers
    are in front of a filer."""
    network = MemoryNetwork(MemoryNetwork.Options())
    networked = Networked(network)
    backend = make_backend(
        road=Gateway(storage=STORAGE, networked=networked) if gateway else Network(),
        gateway="l4" if gateway else None,
        server_limits=server_limits,
    )
    world = make_world(url, backends=[backend], networks=POOLS)
    made = NetworkWorld(world=world, network=network, networked=networked, runner=world.runner)
    with world.db.write() as tx:
        share_types.ensure_default(tx, "dhss", _SPECS)
    report(world.db, HOST, world.backends.values(), network.capabilities())
    made.runner = made.renewed_runner()
    return made
