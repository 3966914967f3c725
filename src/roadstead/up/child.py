"""One supervised process: started as its user, restarted when it dies."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

from roadstead.process.privileges import Account, die_with_parent

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
_STEADY_SECONDS = 10.0  # one that lived so long starts again at the first delay


class Child:
    """`argv` is run as `account` (None: as we are), with these descriptors open."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        account: Account | None = None,
        umask: int = 0o022,
        keep_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self.due_at = 0.0  # monotonic
        self._argv, self._account, self._umask = list(argv), account, umask
        self._keep_fds = tuple(keep_fds)
        self._delay = FIRST_DELAY
        self._started_at = 0.0

    def start(self, environ: Mapping[str, str]) -> None:
        """It runs, in a session of its own, and is told to end when we die."""
        self._started_at = time.monotonic()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self.pid = pid
            return
        try:
            self._become(parent, environ)
        except BaseException as error:  # must not return into the parent's code
            with contextlib.suppress(OSError):
                sys.stderr.write(f"roadstead: cannot start {self.name}: {error}\n")
                sys.stderr.flush()
        finally:
            os._exit(127)

    def _become(self, parent: int, environ: Mapping[str, str]) -> None:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for fd in self._keep_fds:
            os.set_inheritable(fd, True)
        os.umask(self._umask)
        if self._account is not None:
            self._account.drop()
        die_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(self._argv[0], self._argv, dict(environ))  # noqa: S606 -- no shell

    def ended(self) -> float:
        """It is known to be dead; the seconds until it is due again."""
        now = time.monotonic()
        if now - self._started_at >= _STEADY_SECONDS:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        self.pid, self.due_at = None, now + delay
        return delay

    def signal(self, number: int) -> None:
        """The signal is sent if it runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
