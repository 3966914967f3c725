"""The world is looked at again before anything is done about what is missing."""

from collections.abc import Callable, Iterable

from roadstead.model.world import Mark
from roadstead.ops.sweeps.looks import Look, Memo

A = Mark(kind="port", id="a")
B = Mark(kind="port", id="b")
BROKEN = Mark(kind="port", id="a", broken="down")


def saying(*answers: Iterable[Mark]) -> Callable[[], Iterable[Mark]]:
    """An inventory that gives these, one a call."""
    left = iter(answers)
    return lambda: next(left)


def test_what_came_up_between_two_looks_is_not_missing():
    assert Look(saying([B], [A, B])).lacks({"a", "b"}) == set()


def test_what_is_gone_or_broken_in_both_is():
    assert Look(saying([BROKEN], [BROKEN])).lacks({"a", "b"}) == {"a", "b"}


def test_what_went_between_two_looks_is_not_unknown_nor_is_what_came():
    assert Look(saying([A], [B])).unknown(lambda _mark: False) == []
    assert Look(saying([A, B], [A])).unknown(lambda _mark: False) == [A]


def test_where_nothing_differs_there_is_no_second_look():
    look = Look(saying([A]))
    assert look.lacks({"a"}) == set()
    assert look.unknown(lambda _mark: True) == []


def test_what_was_left_counts_until_the_look_that_is_whole():
    memo: Memo[str] = Memo(2)
    memo.begin()
    assert not memo.says("a", "right")
    assert memo.keep("a", "right")
    memo.begin()
    assert memo.says("a", "right")
    assert not memo.says("a", "other")
    memo.begin()
    assert not memo.says("a", "right")
    assert not memo.keep("a", "right")  # as it was
    memo.forget("a")
    assert memo.keep("a", "right")
