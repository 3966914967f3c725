"""The agent killed, or failing, at every step of a share server: nothing is stuck or left."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.drivers.network.marks import Marks
from tests.lab.links import find_link
from tests.lab.netns import ip
from tests.lab.requirements import LabError
from tests.roads.network import (
    TYPE,
    NetworkRoad,
    Tenant,
    address_of,
    level,
    place_netns,
    seen,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.hosts import Client

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("net-failures")]

CLIENT, SERVER = "10.0.0.50", "10.0.0.2"
CREATE = ("addresses", "segments", "place", "ports", "export")
DELETE = ("quiet", "export", "ports", "place", "segments")
UPDATE = ("segments", "ports", "exports")
ONE_OF_EACH = {"segment": 1, "port": 1, "place": 1, "server": 1}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkRoad]:
    """Unused share servers are not kept; what fails again and again fails for good soon."""
    settings = {"network": {"unused_minutes": 0}, "grant_timeout_seconds": 8}
    with NetworkRoad(tmp_path_factory.mktemp("net"), settings=settings) as made:
        yield made


@pytest.fixture(scope="module")
def tenant(road: NetworkRoad) -> Tenant:
    return road.tenant("alice")


@pytest.fixture(scope="module")
def client(road: NetworkRoad, tenant: Tenant) -> Iterator[Client]:
    with road.client(tenant, CLIENT) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(road: NetworkRoad, tenant: Tenant) -> Iterator[None]:
    """A test that fails leaves the next one an empty host."""
    yield
    for share in tenant.api.get("/shares")["shares"]:
        tenant.api.wait_share(share["id"], ("available", "error"))
        tenant.api.delete_share(share["id"])
    wait_until(lambda: not road.servers(), "no share server is left")


def create(tenant: Tenant) -> str:
    """The id of a share that is being made."""
    share = tenant.api.create_share(wait=False, share_network_id=tenant.network, share_type=TYPE)
    return share["id"]


def all_gone(road: NetworkRoad) -> None:
    """Neither rows nor anything in the world: N-I6."""
    wait_until(lambda: not road.servers(), "no share server is left")
    assert road.count().total() == 0


# What was done and is not in the journal yet is the hardest; the other phases are tried without
# real parts (tests/unit/ops).
@pytest.mark.parametrize(("made", "removed"), list(zip(CREATE, DELETE, strict=True)))
def test_a_kill_at_any_step_of_making_and_removing(
    road: NetworkRoad, tenant: Tenant, client: Client, made: str, removed: str
) -> None:
    """N-I6, N-S4: the next agent finishes what the killed one began, and nothing is left over."""
    point = f"share_server.create:{made}:effect"
    share_id = road.killed_at(point, lambda: create(tenant))
    tenant.api.wait_share(share_id)
    assert road.count() == ONE_OF_EACH
    share = seen(tenant.api, share_id)
    tenant.api.allow(share_id, CLIENT)
    assert level(client, address_of(tenant.api, share), share) == "rw"
    point = f"share_server.delete:{removed}:effect"
    road.killed_at(point, lambda: tenant.api.delete_share(share_id, wait=False))
    all_gone(road)


@pytest.mark.parametrize("step", UPDATE)
def test_a_kill_at_any_step_of_growing(road: NetworkRoad, tenant: Tenant, step: str) -> None:
    """N-I4, N-S4: the server gets its second port all the same."""
    network = road.network(tenant.api, name=step)
    share = network.share()
    ids = {"neutron_net_id": "tenant/more", "neutron_subnet_id": "10.7.0.0/24"}
    where = f"/share-networks/{network.network}"
    network.api.post(f"{where}/action", {"share_network_subnet_create_check": ids})
    road.killed_at(
        f"share_server.update:{step}:effect",
        lambda: network.api.post(f"{where}/subnets", {"share-network-subnet": ids}),
    )
    wait_until(
        lambda: network.api.get(where)["share_network"]["status"] == "active", "it is active"
    )
    assert road.count() == {"segment": 2, "port": 2, "place": 1, "server": 1}
    assert len(network.api.paths(share.id)) == 2
    network.api.delete_share(share.id)
    all_gone(road)


# --- what cannot be made ------------------------------------------------------------------------


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


@pytest.mark.parametrize("step", OBSTACLES)
def test_a_failure_at_any_step_leaves_nothing(road: NetworkRoad, tenant: Tenant, step: str) -> None:
    """N-I6: share and server are in error, a message says so, and what was made is gone."""
    deaths = road.deaths()
    with road.held_at(f"share_server.create:{step}:before"):
        share_id = create(tenant)
        wait_until(lambda: road.deaths() > deaths, "the agent comes to that step")
        (server,) = road.servers()
        clear = OBSTACLES[step](road, tenant, server["id"])
    try:
        wait_until(lambda: _turned_round(road, server["id"]), "what was made is being undone")
    finally:
        clear()
    tenant.api.wait_share(share_id, ("error",))
    wait_until(lambda: road.server(tenant)["status"] == "error", "the server is in error")
    messages = tenant.api.get("/messages", resource_id=share_id)["messages"]
    assert [message["message_level"] for message in messages] == ["ERROR"]
    assert road.count().total() == 0
    tenant.api.delete_share(share_id)
    all_gone(road)


def _turned_round(road: NetworkRoad, server: str) -> bool:
    with contextlib.closing(road.database()) as db:
        query = "SELECT state FROM operations WHERE resource_id = ? AND verb = ?"
        ((state,),) = db.execute(query, (server, "share_server.create"))
    return state in ("undoing", "failed")
