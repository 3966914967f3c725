"""Agents restarted and hosts rebooted: the share servers are as they were."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.conformance.networks import new_place
from tests.roads.network import CLIENT, UNKEPT, NetworkRoad, Tenant, level
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.hosts import Client

pytestmark = [
    pytest.mark.usefixtures("clean"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.xdist_group("net-restart"),
]
ROAD = functools.partial(NetworkRoad, settings=UNKEPT)

SERVER = "10.0.0.2"
ONE_OF_EACH = {"segment": 1, "port": 1, "place": 1, "server": 1}


def test_clients_do_not_notice_a_killed_agent(
    road: NetworkRoad, tenant: Tenant, client: Client
) -> None:
    """N-S4: the next one finds the share servers as they are."""
    share = tenant.share(CLIENT)
    marks, before = road.marks(), len(road.drift())
    old = road.service.agent_pid
    road.service.kill_agent()
    assert level(client, SERVER, share) == "rw"
    until(lambda: road.service.agent_pid not in (None, old), "another agent is ready")
    assert road.marks() == marks
    assert len(road.drift()) == before
    assert level(client, SERVER, share) == "rw"


@pytest.mark.parametrize("running", [False, True], ids=["reboot", "while-running"])
def test_what_was_lost_is_made_again(
    road: NetworkRoad, tenant: Tenant, client: Client, running: bool
) -> None:
    """N-S4: after a reboot, and when somebody took it away under the running agent."""
    share = tenant.share(CLIENT)
    if not running:
        road.service.kill()
    road.lose_everything()
    if not running:
        road.service.start()
    until(lambda: road.count() == ONE_OF_EACH, "everything is there again")
    until(lambda: _reached(client, share), "the client reaches its share")
    until(lambda: not any(m.broken for m in road.marks().values()), "all of it is whole")


def _reached(client: Client, share: Any) -> bool:
    try:
        return level(client, SERVER, share) == "rw"
    except OSError:
        return False


def test_a_stranger_with_our_mark_is_removed(road: NetworkRoad, tenant: Tenant) -> None:
    """N-S4: what bears the host's mark and belongs to no share server goes."""
    place = new_place()
    road.driver.ensure_segment(tenant.wire)
    road.driver.ensure_place(place)
    until(lambda: road.count().total() == 0, "the sweep has removed it")
    strangers = {tenant.wire.id, place.id}
    until(
        lambda: {d["resource_id"] for d in road.drift() if d["kind"] == "leaked"} == strangers,
        "administrators are told of both",
    )
