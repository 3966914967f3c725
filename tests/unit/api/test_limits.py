"""Limits on the wire (wire.md#limits)."""

import pytest

from tests.factories import make_caller, make_share
from tests.unit.api.asking import OURS, Asker


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


def limits(ask, who="member", v="2.99"):
    found = ask.ok(who, "GET", "/limits", v=v)["limits"]
    assert found["rate"] == []
    return found["absolute"]


@pytest.mark.parametrize(
    ("v", "resources"),
    [
        (0, 5),
        (52, 5),
        (53, 7),
        (57, 7),
        (58, 9),
        (79, 9),
        (80, 11),
        (99, 11),
    ],
)
def test_keys_by_version(ask, v, resources):
    assert len(limits(ask, v=f"2.{v}")) == 2 * resources


def test_numbers(ask, world):
    make_share(world, make_caller(OURS), size_gib=5)
    make_share(world, make_caller(), size_gib=50)
    found = limits(ask)
    assert found["maxTotalShares"] == 50
    assert found["maxTotalShareGigabytes"] == 1000
    assert found["maxTotalShareNetworks"] == 10
    assert found["totalSharesUsed"] == 1
    assert found["totalShareGigabytesUsed"] == 5
    assert found["totalBackupGigabytesUsed"] == 0


def test_an_own_limit_shows(ask):
    ask.ok("admin", "PUT", f"/quota-sets/{OURS}", {"quota_set": {"shares": 3}})
    assert limits(ask)["maxTotalShares"] == 3


def test_anybody_with_a_token_may_ask(ask):
    assert limits(ask, "nobody")["totalSharesUsed"] == 0
