"""How a share server is at this moment, for those who are about to do something with it."""

from roadstead.model.errors import Awaiting, DriverError, Transient
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ShareServerStatus
from roadstead.model.verbs import SERVER_LOST
from roadstead.model.world import Place
from roadstead.roads.addresses import place_of
from roadstead.store import allocations, flows, operations, share_servers
from roadstead.store.db import Database, Tx
from roadstead.store.scope import everyone


def place_of_instance(tx: Tx, instance: ShareInstance) -> Place | None:
    """Where the instance is exported, if by a share server; None = at its backend's own place."""
    if instance.share_server_id is None:
        return None
    leases = allocations.of_server(tx, instance.share_server_id)
    passing = flows.of_server(tx, instance.share_server_id)
    return place_of(instance.share_server_id, leases, passing)


def check_ready(tx: Tx, server_id: str) -> None:
    """The share server works. Awaiting while an operation makes or changes it, Transient while it
    only says so; DriverError when it could not be made."""
    server = share_servers.find(tx, everyone(), server_id)
    if server is None or server.status in SERVER_LOST:
        raise DriverError(f"share server {server_id} could not be set up", detail_id="004")
    if server.status != ShareServerStatus.ACTIVE:
        busy = server_id in operations.live_resources(tx, server.agent_host)
        raise (Awaiting if busy else Transient)(f"share server {server_id} is {server.status}")


def in_motion(db: Database, host: str, server_id: str) -> bool:
    """An operation makes, changes or removes it. Whoever asks in the server's lock may rely on a
    no until the lock is free: an operation takes nothing away without it."""
    with db.read() as tx:
        return server_id in operations.live_resources(tx, host)
