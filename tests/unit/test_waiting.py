"""What tests wait with: what it returns, and what it says when it waited in vain."""

import pytest

from tests.waiting import in_time, until


def _coming(*answers: object):
    """What looks see, one after the other."""
    return iter(answers).__next__


def test_what_came_true_is_returned() -> None:
    assert until(_coming([], None, ["agent"], ["another"]), "an agent", pause=0) == ["agent"]


def test_it_looks_once_even_without_any_time() -> None:
    assert until(_coming("there"), "it", seconds=0) == "there"


def test_who_waited_in_vain_hears_for_what_how_long_and_what_was_seen_last() -> None:
    with pytest.raises(AssertionError) as caught:
        until(_coming(0), "three are there", seconds=0)
    assert str(caught.value) == "not in 0 s: three are there; last seen: 0"


def test_the_reason_is_asked_for_only_then() -> None:
    looks: list[str] = []

    def look() -> bool:
        looks.append("look")
        return False

    with pytest.raises(AssertionError, match="the agent is ready; last seen: its log: no database"):
        until(
            look, "the agent is ready", seconds=0,
            why=lambda: looks.append("why") or "its log: no database",
        )  # fmt: skip
    assert looks == ["look", "why"]


def test_an_error_of_the_look_ends_the_wait() -> None:
    def look() -> bool:
        raise ValueError("it died")

    with pytest.raises(ValueError, match="it died"):
        until(look, "it is ready")


def test_in_time_tells_what_was_seen_last_and_raises_nothing() -> None:
    assert in_time(_coming("", "left", "gone"), 60, pause=0) == "left"
    assert in_time(_coming([]), 0) == []
