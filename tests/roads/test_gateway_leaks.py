"""What cannot be made behind a gateway, or lost its gateway, is told, and leaves nothing: in the
gateway's namespace, in the kernel's tables, in the database, or on the filer."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.netns import ip
from tests.roads.gateway import GatewayRoad
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, IMPATIENT, create
from tests.roads.obstacles import OBSTACLES, failed_at
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [
    pytest.mark.usefixtures("clean"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.xdist_group("gw-leaks"),
]
ROAD = functools.partial(GatewayRoad, settings=IMPATIENT)


@pytest.mark.parametrize("step", OBSTACLES)
def test_a_failure_at_any_step_of_a_gateway_leaves_nothing(
    road: GatewayRoad, tenant: Tenant, census: GatewayCensus, empty: set[str], step: str
) -> None:
    """Share and gateway are in error, a message says so, and what was made is gone."""
    share_id = failed_at(road, tenant, step)
    assert [m["message_level"] for m in _messages(tenant, share_id)] == ["ERROR"]
    assert road.count().total() == 0
    tenant.api.delete_share(share_id)
    road.wait_unused()
    assert census.everything() == empty


@contextlib.contextmanager
def _file_on_the_filer(road: GatewayRoad, instance: str) -> Iterator[None]:
    """Where the share's directory should be."""
    path = road.filer.tree / "roadstead/shares" / instance
    path.write_text("in the way")
    yield
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _name_on_the_filer(road: GatewayRoad, instance: str) -> Iterator[None]:
    """The administrator exports something else by the share's name."""
    name = f"/share-{instance}"
    road.filer.export(77, name)
    yield
    road.filer.unexport(name)


@pytest.mark.parametrize(
    ("step", "obstacle"), [("pool", _file_on_the_filer), ("export", _name_on_the_filer)]
)
def test_a_failure_at_any_step_of_a_share_leaves_nothing(
    road: GatewayRoad,
    tenant: Tenant,
    census: GatewayCensus,
    kept: Shared,
    step: str,
    obstacle: Any,
) -> None:
    """It is in error, a message says so, what was made is gone, and the others go on."""
    assert kept
    before = census.everything()
    deaths = road.deaths()
    with contextlib.ExitStack() as stack:
        with road.held_at(f"share.create:{step}:before"):
            share_id = create(tenant)
            until(lambda: road.deaths() > deaths, "the agent comes to that step")
            stack.enter_context(obstacle(road, _instance(road, share_id)))
        tenant.api.wait_share(share_id, ("error",))
        assert [m["message_level"] for m in _messages(tenant, share_id)] == ["ERROR"]
    assert census.differences() == []
    (left,) = census.everything() - before
    assert left == f"row of share_instances {_instance(road, share_id)}"
    tenant.api.delete_share(share_id)
    assert census.everything() == before


@pytest.mark.crash
@pytest.mark.parametrize("step", ["export", "pool"])
def test_a_kill_while_a_share_is_undone(
    road: GatewayRoad, tenant: Tenant, census: GatewayCensus, kept: Shared, step: str
) -> None:
    """The next agent goes on undoing."""
    assert kept
    before = census.everything()
    share_id = road.killed_at("share.create:export:before", lambda: create(tenant))
    with _name_on_the_filer(road, _instance(road, share_id)):
        # While the next agent starts.
        road.killed_at(f"share.create:{step}:undo-effect", lambda: None)
        tenant.api.wait_share(share_id, ("error",))
    assert census.differences() == []
    tenant.api.delete_share(share_id)
    assert census.everything() == before


def test_a_subnet_without_a_free_address(
    road: GatewayRoad, tenant: Tenant, census: GatewayCensus
) -> None:
    """The share says so; those that have one go on, and one that goes makes room."""
    small = road.network(tenant.api, name="small", cidr="10.9.0.0/29")
    shares = [small.share(CLIENT) for _ in range(4)]  # .1 is the router's, .2 the gateway's
    before = census.everything()
    share_id = create(small)
    tenant.api.wait_share(share_id, ("error",))
    assert "address" in _messages(tenant, share_id)[0]["user_message"]
    tenant.api.delete_share(share_id)
    assert census.everything() == before
    tenant.api.delete_share(shares.pop().id)
    shares.append(small.share(CLIENT))
    assert census.differences() == []


@pytest.mark.crash
def test_a_share_is_deleted_while_its_gateway_is_lost(
    road: GatewayRoad, tenant: Tenant, census: GatewayCensus, kept: Shared
) -> None:
    """A host that was started anew, and a tenant who deletes at once."""
    road.service.kill_agent()
    ip("netns", "delete", road.netns(tenant))
    tenant.api.delete_share(kept.id)
    road.wait_unused()
    assert census.differences() == []


def _instance(road: GatewayRoad, share_id: str) -> str:
    with contextlib.closing(road.database()) as db:
        query = "SELECT instance_id FROM shares WHERE id = ?"
        ((instance,),) = db.execute(query, (share_id,))
    return instance


def _messages(tenant: Tenant, share_id: str) -> list[dict[str, Any]]:
    return tenant.api.get("/messages", resource_id=share_id)["messages"]
