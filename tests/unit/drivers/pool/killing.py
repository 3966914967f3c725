"""A process that is killed before or after the n-th thing it does to the world."""

import fcntl
import os
import signal
import subprocess
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from roadstead.drivers.host import durable, mounts

EFFECTS: list[tuple[Any, str]] = [
    (os, "rename"),
    (os, "unlink"),
    (os, "fsync"),
    (os, "ftruncate"),
    (os, "mkdir"),
    (os, "rmdir"),
    (fcntl, "ioctl"),
    (subprocess, "run"),
    (mounts, "mount"),
    (mounts, "unmount"),
    (durable, "resize"),
]


def killed_at(
    step: int, action: Callable[[], object], effects: Sequence[tuple[Any, str]] = EFFECTS
) -> bool:
    """The action has run in a child until `kill -9` met it at that step; False when it was through
    before. Every effect counts twice: killed before it, and after it."""
    child = os.fork()
    if child == 0:
        try:
            _arm(step, effects)
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the child ended with {status}"
    return status != 0


def _arm(step: int, effects: Sequence[tuple[Any, str]]) -> None:
    left = [step]

    def passed() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(effect: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **kwargs: Any) -> Any:
            passed()
            result = effect(*args, **kwargs)
            passed()
            return result

        return act

    for module, name in effects:
        setattr(module, name, deadly(getattr(module, name)))
