"""Messages in the database."""

import datetime

import pytest

from roadstead.model.errors import BadRequest
from roadstead.model.ids import new_id
from roadstead.model.messages import Message
from roadstead.model.queries import MessageFilter, Page
from roadstead.store import messages
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone, project

NOW = utcnow()
DAY = datetime.timedelta(days=1)


def add(world, **values) -> Message:
    wanted = {
        "project_id": "p",
        "action_id": "001",
        "detail_id": "008",
        "resource_type": "SHARE",
        "resource_id": new_id(),
        "created_at": NOW,
        "expires_at": NOW + 30 * DAY,
    }
    made = Message(id=new_id(), **{**wanted, **values})
    with world.db.write() as tx:
        messages.insert(tx, made)
    return made


def listed(world, scope=None, page=None, **wanted) -> list[Message]:
    with world.db.read() as tx:
        return messages.find_all(tx, scope or everyone(), MessageFilter(**wanted), page or Page())


def test_a_message_belongs_to_its_project(world):
    made = add(world, detail="why")
    with world.db.write() as tx:
        assert messages.get(tx, project("p"), made.id) == made
        assert messages.get(tx, everyone(), made.id) == made
        assert messages.get(tx, project("other"), made.id) is None
        assert not messages.delete(tx, project("other"), made.id)
    assert listed(world, project("other")) == []
    assert listed(world, project("p")) == [made]
    with world.db.write() as tx:
        assert messages.delete(tx, project("p"), made.id)
        assert not messages.delete(tx, project("p"), made.id)


def test_filters(world):
    one = add(world, action_id="008", request_id="req-1", level="ERROR")
    two = add(world, resource_type="SHARE_NETWORK_SUBNET", created_at=NOW - 3 * DAY)
    assert listed(world, action_id="008") == [one]
    assert listed(world, request_id="req-1") == [one]
    assert listed(world, resource_id=two.resource_id) == [two]
    assert listed(world, level="INFO") == []
    assert listed(world, resource_types=["SHARE"]) == [one]
    assert listed(world, resource_types=["SHARE", "SHARE_NETWORK_SUBNET"]) == [one, two]
    assert listed(world, created_since=NOW - DAY) == [one]
    assert listed(world, created_before=NOW - DAY) == [two]


def test_order_and_page(world):
    made = [add(world, created_at=NOW - n * DAY) for n in range(4)]
    assert listed(world, page=Page(limit=2, offset=1)) == made[1:3]
    assert listed(world, page=Page(sort_key="expires_at", limit=0)) == []
    assert listed(world, page=Page(descending=False)) == made[::-1]
    with pytest.raises(BadRequest):
        listed(world, page=Page(sort_key="detail"))


def test_old_messages_go(world):
    add(world, expires_at=NOW)
    kept = add(world, expires_at=NOW + DAY)
    with world.db.write() as tx:
        assert messages.expire(tx, NOW) == 1
    assert listed(world) == [kept]
