"""`roadstead explain` and `probe`: what a person types, and is told."""

import json

import pytest

from roadstead.service import access
from roadstead.service.access import NewRule
from tests.factories import make_caller, make_share


@pytest.fixture
def odd(world):
    """A share whose name could be taken for markup, with a rule."""
    caller = make_caller()
    share = make_share(world, caller, name="[bold]odd")
    new = NewRule(access_type="ip", access_to="10.0.0.0/8", access_level="ro")
    access.allow(world.service, caller, share.id, new)
    return share


def test_explain_by_name_and_by_id(run, odd):
    """D-I8, D-M1."""
    status, text = run("explain", "[bold]odd", "--client", "10.0.0.7")
    assert status == 0
    for word in ("[bold]odd", "direct", "acl", "node1@local#memory", "10.0.0.7: admitted (ro)"):
        assert word in text
    assert f"192.0.2.1:/share-{odd.instance_id}" in text
    assert "never probed" in text
    status, text = run("explain", odd.id, "--json")
    assert json.loads(text)["share_id"] == odd.id


def test_probe_tells_its_verdict_by_its_status(run, odd, world):
    status, text = run("probe", odd.id)
    assert status == 0
    assert "good" in text
    assert "127.0.0.2" in text
    world.pool.ensure_share_absent(odd.instance_id)
    status, text = run("probe", odd.id, "--json")
    assert (status, json.loads(text)["verdict"]) == (1, "broken")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("explain", "nobody"), "no share is named 'nobody'"),
        (("explain", "00000000-0000-4000-8000-000000000000"), "could not be found (404)"),
        (("explain", "[bold]odd", "--client", "vm1"), "must be an IPv4 or IPv6 address"),
    ],
)
def test_a_refusal_is_one_line(run, odd, argv, told):
    status, text = run(*argv)
    assert status == 1
    assert text.startswith("roadstead: ")
    assert told in text
    assert text.count("\n") == 1


def test_a_name_that_two_shares_have_is_refused_with_their_ids(run, world):
    caller = make_caller()
    twins = {make_share(world, caller, name="twin").id for _ in range(2)}
    status, text = run("probe", "twin")
    before, _, ids = text.strip().partition(": 2 shares are named 'twin': ")
    assert (status, before, set(ids.split(", "))) == (1, "roadstead", twins)
