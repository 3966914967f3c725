"""Share servers: killed anywhere, nothing is stuck, and no namespace, device, rule, process,
address or number is left without an owner.

Every step on SQLite, and the way back from a failure; there only between effect and journal, which
is the hardest. `make crash` does all of it on both databases.
"""

import pytest

from tests.crash.play import check, one_point, play, points
from tests.crash.scenario import FORWARD
from tests.crash.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.slow]
VERBS = ("share_server.create", "share_server.update", "share_server.delete")
STAGE = {"tenancy": True}


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_every_step(stage: Stage, verb: str) -> None:
    """N-I5, N-I6, N-S4: the agent, before the effect, after it, after the journal."""
    kills = [kill for kill in points(frozenset((verb,))) if kill[2] in FORWARD]
    check([play(stage, *kill) for kill in kills])


@pytest.mark.parametrize("verb", VERBS)
def test_killed_on_the_way_back(stage: Stage, verb: str) -> None:
    """N-I6: server and share say that it failed; what was there before is as it was."""
    kills = [kill for kill in points(frozenset((verb,))) if kill[2] == "undo-effect"]
    check([play(stage, *kill) for kill in kills])


@pytest.mark.pg
def test_killed_at_one_step_on_postgresql() -> None:
    with Stage("postgresql", tenancy=True) as stage:
        for verb in VERBS:
            check([play(stage, *one_point(verb))])
