"""Share types in the database."""

import pytest

from roadstead.model.errors import BadRequest, Conflict
from roadstead.model.ids import new_id
from roadstead.model.shares import ShareType
from roadstead.store import share_types
from roadstead.store.db import counting, utcnow
from roadstead.store.scope import everyone, project
from tests.factories import make_caller, make_share


def add(world, name, **values) -> ShareType:
    made = ShareType(id=new_id(), name=name, created_at=utcnow(), extra_specs={"a": "1"}, **values)
    with world.db.write() as tx:
        share_types.insert(tx, made)
    return made


def test_found_by_id_and_by_name(world):
    made = add(world, "fast")
    with world.db.read() as tx:
        assert share_types.find(tx, everyone(), made.id) == made
        assert share_types.find(tx, project("p"), "fast") == made
        assert share_types.get(tx, project("p"), made.id) == made
        assert share_types.get(tx, project("p"), "fast") is None
        assert share_types.find(tx, everyone(), "slow") is None


def test_an_id_wins_over_a_name_that_looks_like_it(world):
    made = add(world, "fast")
    add(world, made.id)
    with world.db.read() as tx:
        assert share_types.find(tx, everyone(), made.id) == made


def test_private_types_are_seen_by_granted_projects_only(world):
    made = add(world, "secret", is_public=False)
    with world.db.write() as tx:
        share_types.add_project(tx, made, "friend")
        assert share_types.projects(tx, made) == ["friend"]
    with world.db.read() as tx:
        for scope, seen in ((everyone(), True), (project("friend"), True), (project("x"), False)):
            assert (share_types.find(tx, scope, "secret") is not None) == seen
            assert (share_types.get(tx, scope, made.id) is not None) == seen
            assert (made in share_types.find_all(tx, scope)) == seen
    with world.db.write() as tx:
        assert share_types.remove_project(tx, made, "friend")
        assert not share_types.remove_project(tx, made, "friend")
        assert share_types.find(tx, project("friend"), "secret") is None


def test_a_grant_is_given_once(world):
    made = add(world, "secret", is_public=False)
    with world.db.write() as tx:
        share_types.add_project(tx, made, "friend")
    with pytest.raises(Conflict), world.db.write() as tx:
        share_types.add_project(tx, made, "friend")


def test_the_list_takes_two_statements(world):
    for number in range(5):
        add(world, f"t{number}", is_public=number % 2 == 0)
    with world.db.read() as tx, counting() as statements:
        found = share_types.find_all(tx, everyone())
    assert statements[0] == 2
    assert [x.name for x in found] == ["default", "t0", "t1", "t2", "t3", "t4"]
    assert found[1].extra_specs == {"a": "1"}
    with world.db.read() as tx:
        private = share_types.find_all(tx, everyone(), is_public=False)
    assert [x.name for x in private] == ["t1", "t3"]


def test_names_are_unique(world):
    add(world, "one")
    other = add(world, "two")
    with pytest.raises(Conflict):
        add(world, "one")
    with pytest.raises(Conflict), world.db.write() as tx:
        share_types.update(tx, other, name="one")


def test_update_and_specs(world):
    made = add(world, "one", description="old")
    with world.db.write() as tx:
        share_types.update(tx, made, name="uno", description=None)
        share_types.merge_specs(tx, made, {"a": "2", "b": "3"})
        assert share_types.remove_spec(tx, made, "b")
        assert not share_types.remove_spec(tx, made, "b")
        found = share_types.get(tx, everyone(), made.id)
    assert found is not None
    assert (found.name, found.description, found.extra_specs) == ("uno", None, {"a": "2"})
    assert found.updated_at is not None


def test_a_type_in_use_stays(world):
    made = add(world, "used")
    with world.db.write() as tx:
        share_types.merge_specs(tx, made, {"driver_handles_share_servers": "False"})
        share_types.remove_spec(tx, made, "a")
    make_share(world, make_caller(), share_type="used")
    with pytest.raises(BadRequest), world.db.write() as tx:
        share_types.delete(tx, made)


def test_an_unused_type_goes_with_its_specs(world):
    made = add(world, "unused", is_public=False)
    with world.db.write() as tx:
        share_types.add_project(tx, made, "friend")
        share_types.delete(tx, made)
        assert share_types.get(tx, everyone(), made.id) is None
        assert share_types.projects(tx, made) == []


def test_the_default_type_is_made_once_and_then_left_alone(world):
    with world.db.write() as tx:
        before = share_types.find(tx, everyone(), "default")
        share_types.ensure_default(tx, "default", {"other": "spec"})
        assert share_types.find(tx, everyone(), "default") == before
        share_types.ensure_default(tx, "second", {"driver_handles_share_servers": "False"})
        made = share_types.find(tx, project("p"), "second")
    assert made is not None
    assert made.extra_specs == {"driver_handles_share_servers": "False"}
