"""Killed anywhere, nothing is stuck and nothing is leaked.

Every kill point on SQLite; on PostgreSQL one of each verb. `make crash` does all of it on both.
"""

import random
from collections.abc import Generator

import pytest

from roadstead.ops.recipes import RECIPES
from tests.crash import whole
from tests.crash.play import check, one_point, play, points
from tests.crash.scenarios import uncovered
from tests.crash.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.slow]
# A service for each group, so that workers share the load.
SHARES = pytest.mark.xdist_group("crash-shares")
RULES = pytest.mark.xdist_group("crash-rules")
# The others need a stage of their own: test_crash_attach.py, test_crash_share_server.py.
_VERBS = [verb for verb in RECIPES if verb.startswith(("share.", "access."))]
POSTGRESQL = [pytest.mark.xdist_group("crash-postgresql"), pytest.mark.pg]


@pytest.fixture(scope="module")
def sqlite_stage() -> Generator[Stage]:
    with Stage("sqlite") as stage:
        yield stage


@pytest.fixture(scope="module")
def postgresql_stage() -> Generator[Stage]:
    with Stage("postgresql") as stage:
        yield stage


def _group(verb: str) -> pytest.MarkDecorator:
    return SHARES if verb.startswith("share.") else RULES


def test_every_kill_point_of_every_verb_is_reached_by_a_scenario():
    assert uncovered() == []


@pytest.mark.parametrize("verb", [pytest.param(v, marks=_group(v)) for v in _VERBS])
def test_killed_at_every_step(sqlite_stage, verb):
    kills = points(frozenset((verb,)))
    assert kills
    check([play(sqlite_stage, *kill) for kill in kills])


@pytest.mark.parametrize("verb", [pytest.param(v, marks=POSTGRESQL) for v in _VERBS])
def test_killed_at_one_step_on_postgresql(postgresql_stage, verb):
    check([play(postgresql_stage, *one_point(verb))])


@RULES
def test_what_was_answered_is_carried_out(sqlite_stage):
    """One of every verb is answered while no agent lives; then everything is killed."""
    check([whole.submitted(sqlite_stage)])


@pytest.mark.parametrize("victim", [pytest.param(v, marks=RULES) for v in ("agent", "API")])
def test_killed_at_random_moments_of_much_work(sqlite_stage, victim):
    check([whole.storm(sqlite_stage, victim, random.Random(victim))])
