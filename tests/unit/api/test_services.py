"""Services and availability zones on the wire (wire.md#availability-zones, wire.md#services)."""

import contextlib
import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadstead.model.world import ExportRef
from roadstead.ops.ensure import Ensure
from roadstead.ops.report import report
from roadstead.store import services, tables
from roadstead.store.db import utcnow
from tests.factories import HOST, make_caller, make_share
from tests.unit.api.asking import OURS, Asker


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


BACKEND = f"{HOST}@local"


def hosts(ask, query=""):
    return {s["host"] for s in ask.ok("admin", "GET", f"/services{query}")["services"]}


def test_a_service(ask):
    (shown,) = ask.ok("admin", "GET", "/services?binary=manila-share")["services"]
    assert isinstance(shown.pop("id"), int)
    assert shown.pop("updated_at")
    assert shown == {
        "binary": "manila-share",
        "host": BACKEND,
        "zone": "nova",
        "status": "enabled",
        "state": "up",
        "disabled_reason": None,
        "ensuring": False,
    }


@pytest.mark.parametrize(
    ("v", "more"),
    [("2.7", 0), ("2.82", 0), ("2.83", 1), ("2.86", 2)],
)
def test_keys_by_version(ask, v, more):
    assert {len(s) for s in ask.ok("admin", "GET", "/services", v=v)["services"]} == {7 + more}


def test_filters(ask):
    everyone = hosts(ask)
    assert BACKEND in everyone
    for query in ("?state=up", "?status=enabled", "?zone=nova", "?id=1", "?ensuring=false"):
        assert hosts(ask, query) == everyone
    assert hosts(ask, f"?host={BACKEND}") == {BACKEND}
    assert hosts(ask, "?topic=manila-share") == {BACKEND}
    for query in ("state=down", "status=bogus", "zone=nozone", "ensuring=true", "ensuring=zz"):
        assert hosts(ask, f"?{query}") == set()
    old = ask.ok("admin", "GET", "/services?ensuring=zz", v="2.92")["services"]
    assert len(old) == len(everyone)


def test_a_silent_service_is_down(ask, world):
    """X-13"""
    with world.db.write() as tx:
        old = utcnow() - datetime.timedelta(hours=1)
        tx.execute(tables.services.update().values(heartbeat_at=old))
    assert hosts(ask, "?state=up") == set()
    assert BACKEND in hosts(ask, "?state=down")


ENSURE = {"ensure_shares": {"host": BACKEND}}


def ensuring(ask):
    query = f"/services?host={BACKEND}&binary=manila-share"
    (shown,) = ask.ok("admin", "GET", query)["services"]
    return shown["ensuring"]


def test_ensure_shares_is_done_by_the_agent_at_once(ask, world):
    """Somebody removed an export by hand; nobody waits for the next sweep."""
    made = make_share(world, make_caller(OURS))
    instance_id = made.instance_id
    for mark in world.export.inventory(world.backend.place):
        world.export.ensure_export_absent(
            ExportRef(instance_id=mark.id, export_id=1, place=world.backend.place)
        )
    assert ask("admin", "POST", "/services/ensure-shares", ENSURE) == (202, None)
    assert [m.id for m in world.export.inventory(world.backend.place)] == [instance_id]
    assert ensuring(ask) is False


def test_ensuring_until_the_agent_has_done_it(ask, world):
    world.engine.stop()
    assert ask("admin", "POST", "/services/ensure-shares", ENSURE) == (202, None)
    assert ensuring(ask) is True
    assert hosts(ask, "?ensuring=true") == {BACKEND}
    assert BACKEND not in hosts(ask, "?ensuring=no")
    report(world.db, HOST, world.backends.values())  # a heartbeat does not clear it
    ensure = Ensure(world.db, HOST, world.sweep.run)
    assert ensure.if_asked()
    assert ensuring(ask) is False
    assert not ensure.if_asked()


def test_two_threads_that_hear_of_one_wish_sweep_once(ask, world):
    """The sweep of the second would be taken for the answer to the next wish."""
    world.engine.stop()
    sweeps, begun, go_on = [], threading.Event(), threading.Event()

    def sweep():
        sweeps.append(1)
        begun.set()
        assert go_on.wait(30)

    ensure = Ensure(world.db, HOST, sweep)
    assert ask("admin", "POST", "/services/ensure-shares", ENSURE) == (202, None)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ensure.if_asked)
        assert begun.wait(30)
        second = pool.submit(ensure.if_asked)
        with contextlib.suppress(TimeoutError):
            second.result(0.2)  # it would have begun its own by then
        go_on.set()
        assert (first.result(30), second.result(30)) == (True, False)
    assert sweeps == [1]


def test_ensure_shares_is_strict(ask, world):
    path = "/services/ensure-shares"
    for body in (
        {},
        {"ensure_shares": None},
        {"ensure_shares": {}},
        {"ensure_shares": {"host": 5}},
    ):
        ask.refused(400, "admin", "POST", path, body)
    ask.refused(404, "admin", "POST", path, {"ensure_shares": {"host": "nosuch@local"}})
    ask.refused(404, "admin", "POST", path, {"ensure_shares": {"host": HOST}})
    ask.refused(404, "admin", "POST", path, ENSURE, v="2.85")
    ask.refused(403, "member", "POST", path, ENSURE)
    with world.db.write() as tx:
        old = utcnow() - datetime.timedelta(hours=1)
        tx.execute(tables.services.update().values(heartbeat_at=old))
    ask.refused(409, "admin", "POST", path, ENSURE)


def switch(ask, verb, v="2.99", **more):
    body = {"host": BACKEND, "binary": "manila-share", **more}
    return ask.ok("admin", "PUT", f"/services/{verb}", body, v=v)


def test_disable_and_enable(ask, world):
    named = {"host": BACKEND, "binary": "manila-share"}
    assert switch(ask, "disable", disabled_reason=" maint ") == {
        **named,
        "status": "disabled",
        "disabled_reason": "maint",
        "ensuring": None,
    }
    (shown,) = ask.ok("admin", "GET", f"/services?host={BACKEND}")["services"]
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "maint")
    with world.db.read() as tx:
        assert next(s for s in services.find_all(tx) if s.host == BACKEND).disabled
    assert switch(ask, "enable", v="2.7") == {**named, "status": "enabled"}
    assert switch(ask, "enable", v="2.83")["disabled_reason"] is None
    assert hosts(ask, "?status=disabled") == set()


def test_switching_is_strict(ask):
    good = {"host": BACKEND, "binary": "manila-share"}

    def refuse(status, body, verb="disable", v="2.99", who="admin"):
        ask.refused(status, who, "PUT", f"/services/{verb}", body, v=v)

    refuse(400, {"host": BACKEND})
    refuse(400, {"binary": "manila-share"})
    refuse(400, {**good, "disabled_reason": "x"}, v="2.82")
    refuse(400, {**good, "disabled_reason": " "})
    refuse(400, {**good, "disabled_reason": "m" * 256})
    refuse(404, {**good, "host": "cw@nope"})
    refuse(404, {**good, "binary": "manila-nope"}, verb="enable")
    refuse(404, good, verb="foo")
    refuse(403, good, who="member")


def test_the_old_paths(ask):
    assert ask.ok("admin", "GET", "/os-services", v="2.6")["services"]
    body = {"host": BACKEND, "binary": "manila-share"}
    assert ask.ok("admin", "PUT", "/os-services/disable", body, v="2.0")["status"] == "disabled"
    ask.refused(404, "admin", "GET", "/os-services", v="2.7")
    ask.refused(404, "admin", "GET", "/services", v="2.6")


def test_services_are_for_administrators(ask):
    for who in ("reader", "member"):
        ask.refused(403, who, "GET", "/services")


def test_availability_zones(ask):
    (zone,) = ask.ok("reader", "GET", "/availability-zones")["availability_zones"]
    assert set(zone) == {"id", "name", "created_at", "updated_at"}
    assert zone["name"] == "nova"
    assert zone["created_at"]
    assert zone["updated_at"] is None
    assert ask.ok("reader", "GET", "/os-availability-zone", v="2.6")["availability_zones"] == [zone]
    ask.refused(404, "reader", "GET", "/os-availability-zone", v="2.7")
    ask.refused(404, "reader", "GET", "/availability-zones", v="2.6")
    ask.refused(403, "nobody", "GET", "/availability-zones")
