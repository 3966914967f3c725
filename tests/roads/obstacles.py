"""What is put in the way of making a share server, until that has to be undone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from roadstead.drivers.network.marks import Marks
from tests.lab.links import find_link
from tests.lab.netns import ip
from tests.lab.requirements import LabError
from tests.roads.network import NetworkRoad, Tenant, create, place_netns
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable


def failed_at(road: NetworkRoad, tenant: Tenant, step: str) -> str:
    """The id of a share whose server could not be made because of that step; both are in error,
    and the way is clear again."""
    deaths = road.deaths()
    with road.held_at(f"share_server.create:{step}:before"):
        share_id = create(tenant)
        until(lambda: road.deaths() > deaths, "the agent comes to that step")
        (server,) = road.servers()
        clear = OBSTACLES[step](road, tenant, server["id"])
    try:
        until(lambda: _turned_round(road, server["id"]), "what was made is being undone")
    finally:
        clear()
    tenant.api.wait_share(share_id, ("error",))
    until(lambda: road.server(tenant)["status"] == "error", "the server is in error")
    return share_id


def _turned_round(road: NetworkRoad, server: str) -> bool:
    with contextlib.closing(road.database()) as db:
        query = "SELECT state FROM operations WHERE resource_id = ? AND verb = ?"
        ((state,),) = db.execute(query, (server, "share_server.create"))
    return state in ("undoing", "failed")


def _foreign_bridge(road: NetworkRoad, tenant: Tenant, _server: str) -> Callable[[], Any]:
    name = Marks(road.host.netns).bridge(tenant.wire.id)
    return _foreign_link(road, name)


def _foreign_link(road: NetworkRoad, name: str) -> Callable[[], Any]:
    host = road.host.netns
    ip("link", "add", name, "type", "bridge", netns=host)

    def clear() -> None:
        # A name that we derive is ours to take back: then it is gone already.
        with contextlib.suppress(LabError):
            ip("link", "delete", name, netns=host)
        assert find_link(host, name) is None

    return clear


def _foreign_namespace(_road: NetworkRoad, _tenant: Tenant, server: str) -> Callable[[], Any]:
    ip("netns", "add", place_netns(server))

    def clear() -> None:
        with contextlib.suppress(LabError):
            ip("netns", "delete", place_netns(server))

    return clear


def _foreign_port(road: NetworkRoad, _tenant: Tenant, server: str) -> Callable[[], Any]:
    with contextlib.closing(road.database()) as db:
        query = "SELECT id FROM address_leases WHERE share_server_id = ?"
        port, *_ = db.execute(query, (server,)).fetchone()
    return _foreign_link(road, Marks(road.host.netns).port(port))


def _foreign_file(road: NetworkRoad, _tenant: Tenant, server: str) -> Callable[[], Any]:
    file = road.service.state / "exports/local" / server
    file.parent.mkdir(parents=True, exist_ok=True)  # the first server makes it
    file.write_text("in the way of the NFS server's directory")
    return lambda: file.unlink(missing_ok=True)


OBSTACLES = {
    "segments": _foreign_bridge,
    "place": _foreign_namespace,
    "ports": _foreign_port,
    "export": _foreign_file,
}
