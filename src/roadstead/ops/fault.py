"""Where tests kill the agent: at a named step, before the effect, after it, or after the journal.

Off unless ROADSTEAD_KILL_AT names a point, `verb:step:phase`; then the process dies there as by
kill -9, once per start.
"""

import os
import signal

_AT = os.environ.get("ROADSTEAD_KILL_AT", "")


def point(verb: str, step: str, phase: str) -> None:
    """Returns, unless this is the point where the test wants the process dead."""
    if _AT and f"{verb}:{step}:{phase}" == _AT:
        os.kill(os.getpid(), signal.SIGKILL)
