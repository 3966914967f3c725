"""Order and markers of lists, the same on both databases."""

import datetime

import pytest

from roadstead.model.errors import BadRequest
from roadstead.model.queries import Page, ShareFilter
from roadstead.store import shares, tables
from roadstead.store.scope import everyone, project
from tests.factories import make_caller, make_share

NAMES = ["b", None, "a", "b", None, "c"]


@pytest.fixture
def made(world):
    """Shares of one project, with names that repeat and are missing, some made at one moment."""
    caller = make_caller()
    found = [make_share(world, caller, name=name) for name in NAMES]
    at = datetime.datetime(2026, 1, 1)
    with world.db.write() as tx:
        for index, share in enumerate(found):
            when = at + datetime.timedelta(seconds=index // 2)
            tx.execute(
                tables.shares.update().where(tables.shares.c.id == share.id).values(created_at=when)
            )
    return caller.project_id, {share.id for share in found}


def _ids(world, project_id, **page):
    with world.db.read() as tx:
        found = shares.find_all(tx, project(project_id), ShareFilter(), Page(**page))
    return [share.id for share in found]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort_key", ["created_at", "name", "size", "host", "id"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_every_share_once_in_the_order_of_the_whole_list(world, made, sort_key, descending, limit):
    project_id, ids = made
    order = {"sort_key": sort_key, "descending": descending}
    whole = _ids(world, project_id, **order)
    assert set(whole) == ids
    walked: list[str] = []
    while part := _ids(
        world, project_id, limit=limit, after=walked[-1] if walked else None, **order
    ):
        walked += part
    assert walked == whole


def test_what_has_no_value_is_the_smallest(world, made):
    project_id, _ = made
    with world.db.read() as tx:
        names = [
            name
            for _, name in shares.find_names(
                tx, project(project_id), ShareFilter(), Page(sort_key="name", descending=False)
            )
        ]
    assert names == [None, None, "a", "b", "b", "c"]


def test_a_marker_of_another_project_does_not_exist(world, made):
    foreign = make_share(world, make_caller())
    with pytest.raises(BadRequest, match="marker"):
        _ids(world, made[0], after=foreign.id)
    with world.db.read() as tx:
        assert len(shares.find_all(tx, everyone(), ShareFilter(), Page(after=foreign.id))) == 6


def test_a_marker_that_the_filter_no_longer_matches(world, made):
    project_id, ids = made
    first, *rest = _ids(world, project_id)
    with world.db.write() as tx:
        share = shares.get(tx, project(project_id), first)
        assert share is not None
        shares.update(tx, share, name="renamed")
        left = shares.find_all(tx, project(project_id), ShareFilter(name="b"), Page(after=first))
    assert {share.id for share in left} <= set(rest)
    assert first in ids
    assert left
