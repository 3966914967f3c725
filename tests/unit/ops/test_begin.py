"""Operations begin in one place, and agents are told of them once, after the commit."""

import ast
from pathlib import Path

import msgspec
import pytest

from roadstead.model.errors import BadRequest, Conflict, Forbidden
from roadstead.model.verbs import VERBS
from roadstead.ops.begin import Ourselves, acting
from roadstead.ops.recipes import RECIPES
from roadstead.ops.subjects import KINDS, of_share
from roadstead.service import shares
from roadstead.store import operations
from roadstead.store import shares as share_rows
from tests.factories import HOST, make_caller, make_share

SOURCE = Path(__file__).parents[3] / "src/roadstead"


class Told:
    """A dispatch that only notes what it was told."""

    def __init__(self):
        self.submitted, self.woken = [], []

    def submit(self, tx, operation_id, host):
        self.submitted.append((host, operation_id))

    def wake(self, host, operation_ids):
        self.woken.append((host, list(operation_ids)))


@pytest.fixture
def told():
    return Told()


def _live(world):
    with world.db.read() as tx:
        return {operation.id for operation in operations.live_on(tx, HOST)}


def _begin(world, told, verb, *of):
    with acting(world.db, told, Ourselves()) as act:
        return [act.begin(verb, of_share(share)).id for share in of]


def test_an_agent_is_told_once_of_all_that_began_and_after_the_commit(world, told):
    first, second = (make_share(world, make_caller()) for _ in range(2))
    with acting(world.db, told, Ourselves()) as act:
        begun = [act.begin("share.delete", of_share(share)).id for share in (first, second)]
        assert told.woken == []
    assert told.woken == [(HOST, begun)]
    assert told.submitted == [(HOST, operation_id) for operation_id in begun]
    assert _live(world) == set(begun)


def test_nobody_is_told_of_what_was_rolled_back(world, told):
    caller = make_caller()
    share = make_share(world, caller)
    with pytest.raises(Conflict):
        _begin(world, told, "share.delete", share, share)
    assert told.woken == []
    assert _live(world) == set()
    assert shares.get(world.service, caller, share.id).status == "available"


@pytest.mark.parametrize(
    ("verb", "error", "words"),
    [
        ("share.delete", Forbidden, "is creating and cannot be deleted now"),
        ("share.extend", BadRequest, "is creating; extend needs available"),
        (
            "share.shrink",
            BadRequest,
            "is creating; shrink needs available or shrinking_possible_data_loss_error",
        ),
        ("share.probe", BadRequest, "is creating; there is nothing to probe"),
    ],
)
def test_a_verb_that_does_not_fit_is_refused_as_the_wire_wants_it(world, told, verb, error, words):
    caller = make_caller()
    share = make_share(world, caller)
    with world.db.write() as tx:
        share_rows.set_instance(tx, share, status="creating")
    share = shares.get(world.service, caller, share.id)
    with pytest.raises(error, match=f"^share {share.id} {words}$"):
        _begin(world, told, verb, share)
    assert _live(world) == set()


def test_a_share_in_no_pool_is_nobodys_to_work_on(world, told):
    share = msgspec.structs.replace(make_share(world, make_caller()), host="")
    with pytest.raises(BadRequest):
        _begin(world, told, "share.probe", share)
    assert told.submitted == []


def test_every_verb_has_a_recipe_and_a_kind_of_resource():
    assert VERBS.keys() == RECIPES.keys()
    assert {verb.resource_type for verb in VERBS.values()} == KINDS.keys()


@pytest.mark.parametrize(
    ("called", "only_in"),
    [
        # the journal reads what was begun
        ("Operation", {"ops/begin.py", "store/operations.py"}),
        ("wake", {"ops/begin.py", "engine/inline.py"}),
    ],
)
def test_nothing_begins_or_wakes_elsewhere(called, only_in):
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and called in (getattr(node.func, "attr", ""), getattr(node.func, "id", ""))
    }
    assert found == only_in
