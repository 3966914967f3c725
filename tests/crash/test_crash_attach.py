"""Attaching: killed anywhere, nothing is stuck and nothing is leaked.

On SQLite; on PostgreSQL one point of each verb, in test_crash_detach.py. `make crash` does all of
it on both. Two files, so that two workers share the load.
"""

import pytest

from tests.crash import hypervisor
from tests.crash.play import check, play, points
from tests.crash.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.vm]
STAGE = {"host": True}


def test_killed_at_every_step(stage: Stage) -> None:
    """H-I2: the agent, before the effect, after it, after the journal; and on the way back."""
    check([play(stage, *kill) for kill in points(frozenset(("attachment.attach",)))])


@pytest.mark.parametrize("victim", hypervisor.VICTIMS)
def test_another_dies_with_the_agent(stage: Stage, victim: str) -> None:
    """H-I12: before the device has come, and when it has."""
    check([hypervisor.both_killed(stage, victim, *point) for point in hypervisor.ATTACHING])
