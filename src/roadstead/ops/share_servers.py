"""Recipes of share servers: addresses → segments → place → ports → export server, and back.

Nobody gets an answer from a server's addresses before they are taken from it (X-4).
"""

from collections.abc import Mapping

import msgspec

from roadstead.model.errors import RoadsteadError, Unsupported
from roadstead.model.operations import Operation
from roadstead.model.share_networks import FlowLease, Lease, ShareServer, Subnet
from roadstead.model.states import ShareServerStatus
from roadstead.model.verbs import SHARE_NOT_SERVED
from roadstead.model.world import ExportPath, Place
from roadstead.ops.ledger import addresses
from roadstead.ops.recipe import Elsewhere, Open, Recipe, Step
from roadstead.ops.subjects import Columns
from roadstead.roads import network as road
from roadstead.roads import serving
from roadstead.roads.addresses import Addresses, place_of
from roadstead.roads.backend import Backend
from roadstead.roads.networked import Networked
from roadstead.store import (
    allocations,
    export_locations,
    flows,
    security_services,
    share_networks,
    share_servers,
    subnets,
)
from roadstead.store import shares as share_store
from roadstead.store.db import Database, Tx, lock_share_network
from roadstead.store.scope import everyone


class ServerRun(msgspec.Struct, kw_only=True):
    """One operation on a share server; `server` as it was when the run began."""

    operation: Operation
    db: Database
    backend: Backend
    networked: Networked
    server: ShareServer
    subnets: list[Subnet]

    def leases(self) -> list[Lease]:
        with self.db.read() as tx:
            return allocations.of_server(tx, self.server.id)

    def passing(self) -> list[FlowLease]:
        """What stands for its shares, at a gateway."""
        with self.db.read() as tx:
            return flows.of_server(tx, self.server.id)

    def addresses(self) -> Addresses:
        with self.db.read() as tx:
            return addresses(tx, self.server.id, peers=self.backend.servers.paired)

    def storage(self) -> list[Subnet]:
        """A gateway's other leg."""
        return self.backend.servers.legs(())

    def new_leases(self) -> list[Lease]:
        """Those on subnets that the server is about to be on."""
        old = {*self.server.subnet_ids, *(s.id for s in self.storage())}
        return [lease for lease in self.leases() if lease.subnet_id not in old]

    def legs(self) -> list[Subnet]:
        """The tenant's subnets, and a gateway's storage network."""
        return self.backend.servers.legs(self.subnets)

    def place(self) -> Place:
        return place_of(self.server.id, self.leases(), self.passing())


def opener(db: Database, backends: Mapping[str, Backend], networked: Networked) -> Open:
    """For the runner: the run of a share server's operation."""

    def begin(operation: Operation) -> ServerRun | None:
        with db.read() as tx:
            server = share_servers.find(tx, everyone(), operation.resource_id)
            found = [subnets.find(tx, i) for i in _subnet_ids(operation, server)]
        if server is None:
            return None
        name = server.host.partition("@")[2]
        backend = next((b for b in backends.values() if b.name == name), None)
        if backend is None:
            raise Elsewhere(f"no backend {server.host}")
        return ServerRun(
            operation=operation,
            db=db,
            backend=backend,
            networked=networked,
            server=server,
            subnets=[subnet for subnet in found if subnet is not None],
        )

    return begin


def _subnet_ids(operation: Operation, server: ShareServer | None) -> list[str]:
    """Those the server is on, and the one on which it is about to be."""
    if server is None:
        return []
    more = operation.payload.get("subnet_id")
    return [*server.subnet_ids, *([more] if more and more not in server.subnet_ids else [])]


# --- steps ------------------------------------------------------------------------------------


def _addresses(run: ServerRun) -> None:
    with run.db.write() as tx:
        for subnet in run.legs():
            allocations.ensure(tx, run.server.id, subnet)
        for instance_id in sorted({p.instance_id for p in flows.of_server(tx, run.server.id)}):
            flows.ensure(tx, run.server.id, instance_id, run.subnets, run.storage())
        if run.backend.servers.paired and run.networked.failover is not None:
            run.networked.failover.check()
            flows.ensure_standby(tx, run.server.id, run.legs())


def _no_new_addresses(run: ServerRun) -> None:
    with run.db.write() as tx:
        for lease in run.new_leases():
            allocations.release(tx, run.server.id, lease.subnet_id)
            flows.release_on(tx, run.server.id, lease.subnet_id)


def _segments(run: ServerRun) -> None:
    with run.networked.wire_lock:
        road.ensure_segments(run.networked.network, run.legs())


def _no_segments(run: ServerRun) -> None:
    _leave_wires(run, run.leases())


def _no_new_segments(run: ServerRun) -> None:
    _leave_wires(run, run.new_leases())


def _leave_wires(run: ServerRun, leaving: list[Lease]) -> None:
    """Their wires are left where no other address of this host needs them."""
    gone = {lease.id for lease in leaving}
    with run.networked.wire_lock:
        with run.db.read() as tx:
            leases = allocations.on_host(tx, run.server.agent_host)
            standbys = flows.standbys_for(tx, run.networked.standby_for)
        needed = {lease.wire for lease in [*leases, *standbys] if lease.id not in gone}
        unused = {lease.wire for lease in leaving} - needed
        road.ensure_segments_absent(run.networked.network, sorted(unused))


def _place(run: ServerRun) -> None:
    run.networked.network.ensure_place(run.place())


def _no_place(run: ServerRun) -> None:
    run.networked.network.ensure_place_absent(run.place())


def _ports(run: ServerRun) -> None:
    with run.networked.server_lock(run.server.id):
        run.backend.servers.ensure_ports(run.networked, run.addresses())


def _quiet(run: ServerRun) -> None:
    with run.networked.server_lock(run.server.id):
        _no_election(run)
        road.ensure_quiet(run.networked.network, run.leases())


def _no_election(run: ServerRun) -> None:
    """The gateway does not stand for election any more, if it ever did."""
    if run.networked.failover is not None:
        run.networked.failover.ensure_absent(run.server.id)


def _no_ports(run: ServerRun) -> None:
    # A share that goes at this moment gives its addresses up: it must not make a port again.
    with run.networked.server_lock(run.server.id):
        _no_election(run)
        road.ensure_ports_absent(run.networked.network, run.leases())


def _no_new_ports(run: ServerRun) -> None:
    with run.networked.server_lock(run.server.id):
        road.ensure_quiet(run.networked.network, run.new_leases())
        road.ensure_ports_absent(run.networked.network, run.new_leases())


def _export(run: ServerRun) -> None:
    road.ensure_served(run.backend.export, run.place())


def _no_export(run: ServerRun) -> None:
    _quiet(run)
    road.ensure_unserved(run.backend.export, run.place())


def _export_again(run: ServerRun) -> dict[str, list[ExportPath]]:
    """Every share of the server is served at all its addresses; the paths by instance."""
    backend = run.backend.at(run.place())
    road.ensure_served(backend.export, backend.place)
    with run.db.read() as tx:
        instances = share_store.instances_of_server(tx, run.server.id)
    found: dict[str, list[ExportPath]] = {}
    for instance in instances:
        # The others' own recipes find the new address themselves, or have no use for it.
        if instance.status not in SHARE_NOT_SERVED:
            with backend.share_lock(instance.id):
                found[instance.id] = serving.ensure_served(backend, instance)
    return found


def _record_paths(_run: ServerRun, tx: Tx, paths: dict[str, list[ExportPath]]) -> None:
    for instance_id, found in paths.items():
        export_locations.replace(tx, instance_id, found)


# --- ends -------------------------------------------------------------------------------------


def _made(run: ServerRun, tx: Tx) -> Columns:
    more = run.backend.servers.details(run.backend.export)
    if more:
        share_servers.set_details(tx, run.server.id, {**run.server.details, **more})
    return {}


def _changed(run: ServerRun, tx: Tx) -> Columns:
    """Shares that need such a server find it."""
    network_id = run.server.share_network_id
    lock_share_network(tx, network_id)
    joined = [service.id for service in security_services.of_network(tx, run.server)]
    share_servers.set_purpose(tx, run.server, [s.id for s in run.subnets], joined)
    share_networks.settle(tx, network_id, run.server.id, ShareServerStatus.ACTIVE)
    return _made(run, tx)


def _refuse(_run: ServerRun) -> None:
    raise Unsupported("share servers are namespaces of this host: there are none to take over")


def _let_go(run: ServerRun) -> None:
    """One that was never taken over is only a row."""
    if run.leases():
        raise Unsupported("a share server is a namespace of this host: nobody else could keep it")


def _failed(run: ServerRun, tx: Tx, error: RoadsteadError) -> Columns:
    network_id = run.server.share_network_id
    lock_share_network(tx, network_id)
    share_servers.set_details(tx, run.server.id, {**run.server.details, "error": str(error)[:1000]})
    share_networks.settle(tx, network_id, run.server.id, ShareServerStatus.ERROR)
    return {}


CREATE = Recipe(
    verb="share_server.create",
    steps=(
        Step(name="addresses", do=_addresses),
        Step(name="segments", do=_segments, undo=_no_segments),
        Step(name="place", do=_place, undo=_no_place),
        Step(name="ports", do=_ports, undo=_no_ports),
        Step(name="export", do=_export, undo=_no_export),
    ),
    done=_made,
    failed=_failed,
)
MANAGE = Recipe(
    verb="share_server.manage",
    steps=(Step(name="find", do=_refuse),),
    done=_made,
)
UNMANAGE = Recipe(
    verb="share_server.unmanage",
    steps=(Step(name="let-go", do=_let_go),),
)
DELETE = Recipe(
    verb="share_server.delete",
    steps=(
        Step(name="quiet", do=_quiet),
        Step(name="export", do=_no_export),
        Step(name="ports", do=_no_ports),
        Step(name="place", do=_no_place),
        Step(name="segments", do=_no_segments),
    ),
    failed=_failed,
)
UPDATE = Recipe(
    verb="share_server.update",
    steps=(
        Step(name="addresses", do=_addresses, undo=_no_new_addresses),
        Step(name="segments", do=_segments, undo=_no_new_segments),
        # It is there, unless the host was started anew since.
        Step(name="place", do=_place),
        Step(name="ports", do=_ports, undo=_no_new_ports),
        Step(name="exports", do=_export_again, record=_record_paths),
    ),
    done=_changed,
    failed=_failed,
)
