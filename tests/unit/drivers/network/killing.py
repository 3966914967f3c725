"""A process that is killed after the n-th change it makes to the kernel's networks."""

import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

from roadstead.drivers.host import netlink


def killed_after(step: int, action: Callable[[], object]) -> bool:
    """The action has run in a child until `kill -9` met it right after that change; False when it
    was through before. Step 0 is before the first."""
    child = os.fork()
    if child == 0:
        try:
            netlink.act = _deadly(step, netlink.act)
            if step == 0:
                _die()
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"the child ended with {status}"
    return status != 0


def _deadly(step: int, act: Callable[..., Any]) -> Callable[..., Any]:
    left = [step]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        result = act(*args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            _die()
        return result

    return deadly


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
