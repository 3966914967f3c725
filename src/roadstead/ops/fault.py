"""Where tests kill the agent: at a named step, before the effect, after it, or after the journal.

Off unless ROADSTEAD_TEST_KILL_FILE names a file. While that holds a point, `verb:step:phase`, a
process that comes to the point removes the file and dies as by kill -9: once, because the next
agent has the same environment.
"""

import os
import signal

_FILE = os.environ.get("ROADSTEAD_TEST_KILL_FILE", "")


def point(verb: str, step: str, phase: str) -> None:
    """Returns, unless this is the point where the test wants the process dead."""
    if _FILE and _disarm(f"{verb}:{step}:{phase}"):
        os.kill(os.getpid(), signal.SIGKILL)


def _disarm(here: str) -> bool:
    """The file said that we are to die here, and is gone; whoever removed it is the one to die."""
    try:
        with open(_FILE) as file:
            if file.read() != here:
                return False
        os.unlink(_FILE)
    except FileNotFoundError:
        return False
    return True
