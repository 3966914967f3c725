"""Something happened to a VM, its devices or their daemons: whoever waits looks again.

A change is only a hint: it may have come before the wait, or have been lost with a connection.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Iterable


class Changes:
    """Counts what happened."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """The number of changes so far."""
        return self._count

    def note(self, *_: object) -> None:
        """One more. Also called in libvirt's own thread, so no call back into libvirt here."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, *, until: float, longest: float) -> int:
        """The number of changes so far, once it is no longer `seen`, `longest` seconds have passed
        or it is `until` (of time.monotonic())."""
        with self._changed:
            seconds = min(longest, max(0.0, until - time.monotonic()))
            self._changed.wait_for(lambda: self._count != seen, seconds)
            return self._count


class Deaths:
    """Notes a change when a process ends that was there at an earlier look."""

    def __init__(self, find: Callable[[], Iterable[int]], changes: Changes) -> None:
        self._find, self._changes = find, changes
        self._known: set[int] = set()
        self._lock = threading.Lock()

    def wait(self, seen: int, seconds: float) -> int:
        """As Changes.wait, and a death ends it within half a second."""
        until = time.monotonic() + seconds
        poll = select.poll()
        watched = [_opened(pid) for pid in self._look()]
        descriptors = [fd for fd in watched if fd >= 0]
        try:
            for fd in descriptors:
                poll.register(fd, select.POLLIN)
            while True:
                count = self._changes.wait(seen, until=until, longest=0.5)
                if count != seen or time.monotonic() >= until:
                    return count
                if poll.poll(0):
                    self._look()
        finally:
            for fd in descriptors:
                os.close(fd)

    def _look(self) -> set[int]:
        with self._lock:
            found = set(self._find())
            if self._known - found:
                self._changes.note()
            self._known = found
            return found


def _opened(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
