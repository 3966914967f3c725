"""User messages on the wire (wire.md#messages)."""

import datetime
import re

import pytest

from roadstead.model.ids import new_id
from roadstead.model.messages import Message
from roadstead.store import messages
from roadstead.store.db import utcnow
from tests.unit.api.asking import OURS, THEIRS, Asker


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
DAY = datetime.timedelta(days=1)
NOW = utcnow()


def add(world, project=OURS, age=0, **values) -> str:
    made = Message(
        id=new_id(),
        project_id=project,
        action_id=values.pop("action_id", "001"),
        detail_id="009",
        request_id="req-1",
        resource_type=values.pop("resource_type", "SHARE"),
        resource_id=values.pop("resource_id", None),
        detail="pool full",
        created_at=NOW - age * DAY,
        expires_at=NOW + 30 * DAY,
    )
    with world.db.write() as tx:
        messages.insert(tx, made)
    return made.id


def ids(ask, query="", who="member", v="2.99"):
    return [m["id"] for m in ask.ok(who, "GET", f"/messages{query}", v=v)["messages"]]


def test_one_message(ask, world):
    made, share = new_id(), new_id()
    made = add(world, resource_id=share)
    shown = ask.ok("reader", "GET", f"/messages/{made}")["message"]
    assert TIME.fullmatch(shown.pop("created_at"))
    assert TIME.fullmatch(shown.pop("expires_at"))
    rels = {link["rel"]: link["href"] for link in shown.pop("links")}
    assert rels["self"].endswith(f"/v2/messages/{made}")
    assert rels["bookmark"].endswith(f"/messages/{made}")
    assert shown == {
        "id": made,
        "project_id": OURS,
        "action_id": "001",
        "detail_id": "009",
        "message_level": "ERROR",
        "request_id": "req-1",
        "resource_type": "SHARE",
        "resource_id": share,
        "user_message": "allocate host: No pool has enough free capacity. pool full",
    }


def test_messages_of_others_do_not_exist(ask, world):
    mine, foreign = add(world), add(world, THEIRS)
    assert ids(ask) == [mine]
    for method in ("GET", "DELETE"):
        ask.refused(404, "member", method, f"/messages/{foreign}")
        ask.refused(404, "member", method, "/messages/zz")
    assert set(ids(ask, who="admin")) == {mine, foreign}
    ask.refused(403, "nobody", "GET", "/messages")
    ask.refused(404, "member", "GET", "/messages", v="2.36")


def test_delete(ask, world):
    made = add(world)
    ask.refused(403, "reader", "DELETE", f"/messages/{made}")
    assert ask("member", "DELETE", f"/messages/{made}") == (204, None)
    ask.refused(404, "member", "DELETE", f"/messages/{made}")


def test_filters(ask, world):
    new = add(world, resource_id="r1")
    old = add(world, age=9, action_id="008", resource_type="SHARE_NETWORK_SUBNET")
    assert ids(ask) == [new, old]
    assert ids(ask, "?resource_id=r1") == [new]
    assert ids(ask, "?resource_id=zz") == []
    assert ids(ask, "?action_id=008") == [old]
    assert ids(ask, "?detail_id=009") == [new, old]
    assert ids(ask, "?message_level=INFO") == []
    assert ids(ask, "?request_id=req-1") == [new, old]
    assert ids(ask, "?resource_type=SHARE") == [new]
    assert ids(ask, "?resource_type=SHARE&resource_type=SHARE_NETWORK_SUBNET") == [new, old]
    assert ids(ask, "?foo=bar&with_count=true") == [new, old]


def test_filters_by_time(ask, world):
    new, old = add(world), add(world, age=9)
    then = NOW - 5 * DAY
    assert ids(ask, f"?created_since={then.isoformat()}") == [new]
    assert ids(ask, f"?created_before={then.isoformat()}") == [old]
    assert ids(ask, f"?created_before={then:%Y-%m-%d}") == [old]
    assert ids(ask, f"?created_before={then.isoformat()}%2B00:00") == [old]
    assert ids(ask, f"?created_before={then.isoformat()}Z") == [old]
    assert ids(ask, "?created_since=zz", v="2.51") == [new, old]
    ask.refused(400, "member", "GET", "/messages?created_since=zz")


def test_order(ask, world):
    new, old = add(world, action_id="001"), add(world, age=1, action_id="008")
    assert ids(ask, "?sort_dir=asc") == [old, new]
    assert ids(ask, "?sort_dir=odd") == [new, old]
    assert ids(ask, "?sort_key=action_id") == [old, new]
    ask.refused(400, "member", "GET", "/messages?sort_key=zz")


def test_pages_follow_each_other_to_the_end(ask, world):
    made = [add(world, age=age) for age in range(5)]
    assert ids(ask, "?offset=3") == made[3:]
    assert ids(ask, "?limit=0") == []
    for bad in ("limit=x", "limit=-1", "offset=-1"):
        ask.refused(400, "member", "GET", f"/messages?{bad}")
    seen, path = [], "/messages?limit=2"
    while path:
        page = ask.ok("member", "GET", path)
        seen += [m["id"] for m in page["messages"]]
        links = page.get("messages_links")
        path = links[0]["href"].partition("/v2")[2] if links else None
    assert seen == made
