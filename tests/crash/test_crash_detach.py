"""Detaching: killed anywhere, nothing is stuck and nothing is leaked."""

import pytest

from tests.crash import hypervisor
from tests.crash.play import check, one_point, play, points
from tests.crash.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.vm]
STAGE = {"host": True}


def test_killed_at_every_step(stage: Stage) -> None:
    """H-I2"""
    check([play(stage, *kill) for kill in points(frozenset(("attachment.detach",)))])


@pytest.mark.parametrize("victim", hypervisor.VICTIMS)
def test_another_dies_with_the_agent(stage: Stage, victim: str) -> None:
    """H-I12: before the device has gone, and when it has."""
    check([hypervisor.both_killed(stage, victim, *point) for point in hypervisor.DETACHING])


@pytest.mark.pg
def test_killed_at_one_step_on_postgresql() -> None:
    with Stage("postgresql", host=True) as stage:
        for verb in ("attachment.attach", "attachment.detach"):
            check([play(stage, *one_point(verb))])
