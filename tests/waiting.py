"""Waiting for what comes true in its own time: here tests, demo and benchmarks look again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SECONDS = 60.0
PAUSE = 0.02  # seconds between two looks


def until(
    look: Callable[[], T | None],
    what: str,
    *,
    seconds: float = SECONDS,
    pause: float = PAUSE,
    why: Callable[[], object] | None = None,
) -> T:
    """What `look` returned, as soon as that was true. AssertionError after that many seconds: it
    says what was waited for, and what `why` tells then, else what `look` returned last."""
    found = in_time(look, seconds, pause=pause)
    if not found:
        last = repr(found) if why is None else why()
        raise AssertionError(f"not in {seconds:g} s: {what}; last seen: {last}")
    return found


def in_time(look: Callable[[], T], seconds: float, *, pause: float = PAUSE) -> T:
    """What `look` returned last: something true, or after that many seconds what was not."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(pause)
    return found
