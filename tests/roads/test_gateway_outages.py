"""Agents restarted, hosts rebooted, filers away: gateways come back as the database says, who is
denied is cut off at once all the same, and nothing is left over."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import pytest

from tests.lab import nfs4
from tests.roads.gateway import GatewayRoad
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, address_of, connects, create, level
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.hosts import Client
    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("gw-outages")]
ROAD = functools.partial(GatewayRoad, settings={"operation_timeout_seconds": 8})

OTHER = "10.0.0.60"


@pytest.fixture
def share(tenant: Tenant) -> Iterator[Shared]:
    made = tenant.share(CLIENT)
    yield made
    if tenant.api.send("GET", f"/shares/{made.id}").status_code == 200:
        tenant.api.delete_share(made.id)


@pytest.fixture(scope="module")
def other(road: GatewayRoad, tenant: Tenant) -> Iterator[Client]:
    with road.client(tenant, OTHER) as made:
        yield made


@pytest.fixture
def down(road: GatewayRoad) -> Iterator[Callable[[], None]]:
    """Call it and the filer has died; in the end it runs again."""
    yield road.filer.kill
    if not road.filer.runs:
        road.filer.start()


@pytest.fixture
def hangs(road: GatewayRoad) -> Iterator[Callable[[], None]]:
    """Call it and the filer takes requests and answers none; in the end it does again."""
    yield road.filer.pause
    road.filer.go_on()


# --- restarts -----------------------------------------------------------------------------------


def test_clients_do_not_notice_a_killed_agent(
    road: GatewayRoad, tenant: Tenant, client: Client, share: Shared, census: GatewayCensus
) -> None:
    """G-I5: the next one finds the gateway as it is, and no connection was cut."""
    known, before = len(road.drift()), census.everything()
    old = road.service.agent_pid
    with nfs4.Client(address_of(tenant.api, share), netns=client.netns) as session:
        road.service.kill_agent()
        session.lookup(share.pseudo)

        def another() -> bool:
            session.lookup(share.pseudo)  # without a word its session would end, too
            return road.service.agent_pid not in (None, old)

        until(another, "another agent is ready")
        session.lookup(share.pseudo)
    assert census.everything() - before == set()
    assert census.differences() == []
    assert len(road.drift()) == known


@pytest.mark.parametrize("running", [False, True], ids=["reboot", "while-running"])
def test_what_was_lost_is_made_again(
    road: GatewayRoad,
    tenant: Tenant,
    client: Client,
    share: Shared,
    census: GatewayCensus,
    running: bool,
) -> None:
    """G-I5: after a reboot, and when somebody took it away under the running agent."""
    server = address_of(tenant.api, share)
    if not running:
        road.service.kill()
    road.lose_everything()
    if not running:
        road.service.start()
    until(lambda: _level(client, server, share) == "rw", "the client reaches its share")
    census.wait_agreed()


@pytest.mark.isolation
def test_what_was_removed_while_the_agent_was_away_does_not_return(
    road: GatewayRoad, tenant: Tenant, client: Client, share: Shared, census: GatewayCensus
) -> None:
    """G-I5: a rule and a share that the database has no more."""
    gone = tenant.share(CLIENT, OTHER)
    where = address_of(tenant.api, gone), address_of(tenant.api, share)
    road.service.stop()
    assert connects(client, where[0])  # the kernel passes all the same
    with contextlib.closing(road.database()) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM flow_leases WHERE instance_id = ?", (gone.instance,))
        db.execute("DELETE FROM shares WHERE id = ?", (gone.id,))
        db.execute("DELETE FROM access_rules WHERE share_id = ?", (share.id,))
    road.service.start()
    census.wait_agreed()
    assert gone.pseudo not in road.filer.exports().values()
    assert not any(connects(client, address) for address in where)
    leaked = {d["resource_id"] for d in road.drift() if d["kind"] == "leaked"}
    assert gone.instance in leaked


# --- a filer that is away -----------------------------------------------------------------------


def test_a_filer_that_forgot_our_exports(
    road: GatewayRoad, tenant: Tenant, client: Client, share: Shared, census: GatewayCensus
) -> None:
    """G-I5: it was set up anew; the sweep makes them all again."""
    (road.filer.rules / "roadstead.conf").write_text("")
    road.filer.restart()
    census.wait_agreed()
    assert level(client, address_of(tenant.api, share), share) == "rw"


def test_a_rule_waits_for_the_filer(
    road: GatewayRoad,
    tenant: Tenant,
    other: Client,
    share: Shared,
    census: GatewayCensus,
    down: Callable[[], None],
) -> None:
    """G-I2: not active before the filer has agreed; then it is, by itself."""
    server = address_of(tenant.api, share)
    down()
    rule = tenant.api.allow(share.id, OTHER, "ro", wait=False)
    until(lambda: _attempts(road, rule["id"]) > 1, "it was tried more than once")
    shown = tenant.api.get(f"/share-access-rules/{rule['id']}")["access"]
    assert shown["state"] in ("queued_to_apply", "applying")
    assert not connects(other, server)
    road.filer.start()
    tenant.api.wait_rule(rule["id"])
    assert level(other, server, share) == "ro"
    assert census.differences() == []


@pytest.mark.isolation
@pytest.mark.parametrize("away", ["down", "hangs"])
def test_who_is_denied_is_cut_off_without_the_filer(
    road: GatewayRoad,
    tenant: Tenant,
    other: Client,
    share: Shared,
    census: GatewayCensus,
    away: str,
    request: pytest.FixtureRequest,
) -> None:
    """G-I2, D-I5: at the gateway at once; the rule ends when the filer is back."""
    rule = tenant.api.allow(share.id, OTHER, "ro")
    assert _passes(census, share, OTHER)
    server = address_of(tenant.api, share)
    # It is not left in an orderly way: the filer could not answer.
    session = nfs4.Client(server, netns=other.netns).__enter__()
    assert OTHER in census.connected(tenant)
    request.getfixturevalue(away)()
    tenant.api.deny(share.id, rule["id"], wait=False)
    until(lambda: not _passes(census, share, OTHER), "nobody passes there", seconds=5)
    until(lambda: OTHER not in census.connected(tenant), "its connection is cut", seconds=5)
    with pytest.raises((OSError, EOFError)):
        session.lookup(share.pseudo)
    assert not connects(other, server)
    assert tenant.api.send("GET", f"/share-access-rules/{rule['id']}").status_code == 200
    road.filer.go_on() if away == "hangs" else road.filer.start()
    tenant.api.wait_gone(f"/share-access-rules/{rule['id']}")
    census.wait_agreed()


def _passes(census: GatewayCensus, share: Shared, client: str) -> bool:
    return client in census.passing()[share.instance]


def test_a_share_waits_for_the_filer(
    road: GatewayRoad, tenant: Tenant, client: Client, down: Callable[[], None]
) -> None:
    """A short outage only takes time."""
    down()
    share_id = create(tenant)
    until(lambda: _attempts(road, _instance(road, share_id)) > 1, "it was tried twice")
    road.filer.start()
    tenant.api.wait_share(share_id)
    tenant.api.allow(share_id, CLIENT)
    tenant.api.delete_share(share_id)


def test_a_share_that_cannot_wait_any_longer_leaves_nothing(
    road: GatewayRoad,
    tenant: Tenant,
    share: Shared,
    census: GatewayCensus,
    down: Callable[[], None],
) -> None:
    """It ends in error, not later than the grant timeout and its undo; and is deleted then."""
    assert share
    before = census.everything()
    down()
    share_id = create(tenant)
    tenant.api.wait_share(share_id, ("error",))
    road.filer.start()
    tenant.api.delete_share(share_id)
    census.wait_agreed()
    assert census.everything() == before


def _level(client: Client, server: str, share: Shared) -> str:
    try:
        return level(client, server, share)
    except OSError:
        return "unreachable"


def _attempts(road: GatewayRoad, resource: str) -> int:
    with contextlib.closing(road.database()) as db:
        query = "SELECT max(attempts) FROM operations WHERE resource_id = ?"
        ((found,),) = db.execute(query, (resource,))
    return found or 0


def _instance(road: GatewayRoad, share_id: str) -> str:
    with contextlib.closing(road.database()) as db:
        query = "SELECT instance_id FROM shares WHERE id = ?"
        ((found,),) = db.execute(query, (share_id,))
    return found
