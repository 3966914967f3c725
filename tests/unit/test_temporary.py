"""What tests make for a while is gone afterwards, the last part first."""

from contextlib import ExitStack

import pytest

from tests.temporary import Temporary


class Tent(Temporary):
    """Has two poles, and a canvas if there is no wind."""

    def __init__(self, *, wind: bool = False) -> None:
        self.told: list[str] = []
        self._wind = wind

    def _make(self, undo: ExitStack) -> None:
        for pole in ("first pole", "second pole"):
            self.told.append(pole)
            undo.callback(self.told.append, f"no {pole}")
        if self._wind:
            raise OSError("blown away")
        self.told.append("canvas")


MADE, GONE = ["first pole", "second pole"], ["no second pole", "no first pole"]


def test_it_is_there_between_enter_and_exit() -> None:
    with Tent() as tent:
        assert tent.told == [*MADE, "canvas"]
    assert tent.told == [*MADE, "canvas", *GONE]


def test_what_cannot_be_made_whole_leaves_nothing() -> None:
    tent = Tent(wind=True)
    with pytest.raises(OSError, match="blown away"), tent:
        pass
    assert tent.told == [*MADE, *GONE]


def test_it_goes_once_however_often_it_is_closed() -> None:
    tent = Tent()
    tent.close()
    with tent:
        tent.close()
    assert tent.told == [*MADE, "canvas", *GONE]


def test_it_can_be_made_again() -> None:
    tent = Tent()
    for _ in range(2):
        with tent:
            pass
    assert tent.told == [*MADE, "canvas", *GONE] * 2
