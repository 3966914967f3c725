"""The censuses' own eyes: what they call a difference, or they would find none."""

from tests.differences import differences


def _of(found: object, wanted: object, **more: object) -> list[str]:
    return list(differences("device", found, wanted, **more))  # type: ignore[arg-type]


def test_what_is_as_wanted_differs_in_nothing() -> None:
    assert _of(["a", "b", "b"], ["b", "a", "b"]) == []


def test_too_much_and_too_little_are_told() -> None:
    assert _of(["a", "b", "b"], ["b", "c"]) == [
        "device a is there",
        "device b is there 2 times",
        "device c is missing",
    ]


def test_what_may_be_there_is_neither_missing_nor_too_much_but_for_a_second_one() -> None:
    assert _of([], [], may=["a"]) == []
    assert _of(["a"], [], may=["a"]) == []
    assert _of(["a", "a"], [], may=["a"]) == ["device a is there 2 times"]


def test_what_is_wanted_is_missing_even_if_it_may_be_there() -> None:
    assert _of([], ["a"], may=["a"]) == ["device a is missing"]


def test_values_are_compared_where_there_are_values() -> None:
    assert _of({"a": "ro", "b": "rw", "c": "rw"}, {"a": "rw", "b": "rw"}) == [
        "device c is there",
        "device a is ro, not rw",
    ]
