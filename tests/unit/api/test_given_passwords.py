"""POST /roadstead/v1/shares/ID/users: who admits a user may choose the password (X-7)."""

import pytest

from roadstead.store import tables as t
from tests.unit.api.client import Client

GIVEN = "correct horse battery"


@pytest.fixture
def share(member: Client):
    return member.share(name="mine")


def _admit(client: Client, share, **fields):
    body = {"user": {"name": "alice", "password": GIVEN, **fields}}
    path = f"/shares/{share['id']}/users"
    return client.call("POST", path, body, prefix="/roadstead/v1")


def test_the_rule_has_that_password_and_the_database_does_not(member: Client, world, share):
    answer = _admit(member, share, access_level="ro")
    assert answer.status_code == 202
    rule = answer.json["access"]
    assert (rule["access_type"], rule["access_to"], rule["access_level"]) == ("user", "alice", "ro")
    assert rule["access_key"] == GIVEN
    shown = member.get(f"/share-access-rules/{rule['id']}").json["access"]
    assert shown["access_key"] == GIVEN
    with world.db.read() as tx:
        (stored,) = tx.execute(t.access_rules.select()).mappings().all()
        operations = tx.execute(t.operations.select()).all()
    assert GIVEN not in str(dict(stored))
    assert GIVEN not in str(operations)


def test_one_password_on_a_server(member: Client, share):
    other = member.share(name="other")
    assert _admit(member, share).status_code == 202
    refused = _admit(member, other, password="another one")
    assert refused.status_code == 409
    assert "another password" in refused.text
    assert "another one" not in refused.text
    assert _admit(member, other).status_code == 202


def test_others_with_that_name_do_not_matter(member: Client, foreigner: Client, share):
    assert _admit(member, share).status_code == 202
    assert _admit(foreigner, foreigner.share(), password="a stranger's").status_code == 202


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "short"},
        {"password": "x" * 128},
        {"password": "with a\nline end"},
        {"password": " blank before"},
        {"password": 12345678},
        {"password": None},
        {"name": "abc"},
        {"name": "a/b/c/d"},
        {"access_level": "rwx"},
        {"access_type": "user"},
    ],
)
def test_nonsense_is_refused_and_not_repeated(member: Client, world, share, fields):
    refused = _admit(member, share, **fields)
    assert refused.status_code == 400
    if fields.get("password"):
        assert str(fields["password"]) not in refused.text
    with world.db.read() as tx:
        assert tx.execute(t.access_rules.select()).all() == []
