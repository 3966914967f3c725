"""Plays roads: notes what was expected and what was seen, and always cleans up."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from demo.interrupts import Interrupted, interruptible, uninterrupted
from demo.screen import Screen
from tests.waiting import in_time

INTERRUPTED = 130  # as a shell reports it


class Seen(NamedTuple):
    """What was observed, and whether it is what was expected."""

    good: bool
    text: str


def nothing_of(look: Callable[[], list[str]], *, seconds: float) -> Seen:
    """Whether `look` finds nothing any more, in that many seconds; else what is left."""
    found: list[str] = []

    def is_gone() -> bool:
        found[:] = look()
        return not found

    gone = in_time(is_gone, seconds)
    return Seen(gone, ", ".join(found) or "nothing left")


@dataclass(frozen=True)
class Row:
    """One line of the table at the end."""

    road: str
    client: str
    action: str
    expected: str
    observed: str
    good: bool
    seconds: float


@dataclass(frozen=True)
class Road:
    """`play` gets its act and the stack on which to put all that must be cleaned up."""

    name: str
    about: str
    play: Callable[["Act", ExitStack], None]
    programs: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


class Act:
    """What one road does on the screen, and the rows it made."""

    def __init__(self, road: Road, screen: Screen) -> None:
        self.road = road
        self.screen = screen
        self.rows: list[Row] = []

    def step(self, text: str) -> AbstractContextManager[None]:
        """Around work that proves nothing by itself; shown with the time it took."""
        return self.screen.step(text)

    def command(self, argv: Sequence[str]) -> AbstractContextManager[None]:
        """Around a command of the user, shown as typed."""
        return self.screen.step("$ " + " ".join(argv), style="bold", mark=False)

    def row(self, client: str, action: str, expected: str, observe: Callable[[], Seen]) -> Row:
        """A row with what `observe` saw; an exception in there is a row that is not as expected."""
        began = time.monotonic()
        with self.screen.busy(f"{client} {action}"):
            try:
                seen = observe()
            except Exception as error:
                seen = Seen(False, first_line(error))
        seconds = time.monotonic() - began
        row = Row(self.road.name, client, action, expected, seen.text, seen.good, seconds)
        self.rows.append(row)
        self.screen.row(row)
        return row


def run(roads: Sequence[Road], screen: Screen) -> int:
    """The exit code, after all roads were played: 0 if every row is as expected."""
    lacking = missing(roads)
    if lacking:
        screen.problem("this machine cannot show the demo:", *lacking)
        return 1
    began = time.monotonic()
    rows: list[Row] = []
    whole = True
    try:
        with interruptible(), screen:
            screen.head(roads)
            for road in roads:
                whole = play(road, screen, rows) and whole
    except Interrupted:
        screen.problem("interrupted.")
        return INTERRUPTED
    screen.table(rows)
    good = whole and bool(rows) and all(row.good for row in rows)
    screen.end(rows, time.monotonic() - began, good=good)
    return 0 if good else 1


def play(road: Road, screen: Screen, rows: list[Row]) -> bool:
    """Whether the road was played to its end and cleaned up; its rows are in `rows`."""
    act = Act(road, screen)
    stack = ExitStack()
    whole = True
    screen.title(road)
    # The outer `with` is for an interrupt between the end of the play and the cleaning up.
    with stack:
        try:
            road.play(act, stack)
        except Exception as error:
            whole = False
            screen.problem(f"the {road.name} road stopped here:", *last_lines(error))
        finally:
            rows += act.rows
            with uninterrupted():
                whole = clean_up(act, stack) and whole
    return whole


def clean_up(act: Act, stack: ExitStack) -> bool:
    """Whether all that the road put on its stack could be undone."""
    try:
        with act.step("clean-up of machines, service, mounts, namespaces, files"):
            stack.close()
    except Exception as error:
        act.screen.problem("not everything could be cleaned up:", *last_lines(error))
        return False
    return True


def missing(roads: Sequence[Road]) -> list[str]:
    """What this machine lacks for these roads, each with what to do; empty when nothing."""
    lacking: list[str] = []
    if os.geteuid() != 0:
        lacking.append("it must run as root (namespaces, mounts). Try: sudo make demo")
    programs = sorted({p for road in roads for p in road.programs if shutil.which(p) is None})
    if programs:
        lacking.append(f"missing programs: {', '.join(programs)}. Try: make setup")
    devices = sorted({d for road in roads for d in road.devices if not Path(d).exists()})
    if devices:
        lacking.append(f"missing devices: {', '.join(devices)}. Is this a container without them?")
    return lacking


def first_line(error: BaseException) -> str:
    """The error in a few words."""
    text = str(error).strip().partition("\n")[0]
    return text or type(error).__name__


def last_lines(error: BaseException, count: int = 15) -> list[str]:
    """The error as the end of its text: logs say what matters last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if len(lines) > count:
        lines = [lines[0], "...", *lines[-count:]]
    # What failed while it was being undone began with another failure.
    first = error.__cause__ or error.__context__
    return lines if first is None else [*lines, "after:", *last_lines(first, count)]
