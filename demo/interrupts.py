"""Ctrl-C (and TERM, HUP) ends the demo once, in order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """Somebody wants the demo to end."""


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    # Once only: a second one must not tear the cleaning up.
    _ignore()
    raise Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal raises Interrupted in the main thread, further ones do nothing."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup asked for it
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals do nothing, here and in programs started inside; a terminal sends them to all."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _ignore()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
