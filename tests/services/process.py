"""Programs that never outlive the test session, and directories that do not either.

A fixture's own clean-up covers the normal end. For the others (SIGKILL, a crashed xdist worker) the
kernel ends the program with its parent (PR_SET_PDEATHSIG, by setpriv(1)), and a small shell, which
reads a pipe that only we hold open, then removes the directory.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from tests.waiting import in_time

# `read` returns at the end of file: we closed the pipe, or we are dead. The program may need a
# moment to die, too.
BROOM = 'read -r _; for _ in $(seq 100); do rm -rf -- "$1" && break; sleep 0.1; done 2>/dev/null'


@contextlib.contextmanager
def scratch_directory(prefix: str) -> Generator[Path]:
    """A new directory that everybody may enter; gone afterwards, however this process ends."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o755)
    broom = subprocess.Popen(
        ["/bin/sh", "-c", BROOM, "broom", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        broom.communicate()


class Program:
    """A running program.

    Start it in the main thread: it ends with the *thread* that started it (prctl(2)).
    """

    def __init__(
        self, argv: Sequence[str | Path], *, log: Path, end_signal: str, user: str | None = None
    ) -> None:
        """The program runs, as `user` where we are root.

        `end_signal`, say "TERM", is its quickest way out.
        """
        command = ["setpriv", "--pdeathsig", end_signal]
        if user and os.geteuid() == 0:
            command += ["--reuid", user, "--regid", user, "--init-groups"]
        self.log = log
        self.end_signal = end_signal
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60) -> None:
        """`ready()` came true.

        Raises RuntimeError, with the end of the log, when the program died or time ran out.
        """

        def look() -> bool:
            if self.process.poll() is not None:
                raise self._failure(f"ended with {self.process.returncode}")
            return ready()

        if not in_time(look, seconds):
            raise self._failure(f"not ready after {seconds} s")

    def wait_until_done(self, *, seconds: float = 60) -> None:
        """The program has ended with success. Raises RuntimeError when it failed."""
        if self.process.wait(seconds) != 0:
            raise self._failure(f"ended with {self.process.returncode}")

    def stop(self, *, seconds: float = 5) -> None:
        """The program has ended. No error if it already had."""
        if self.process.poll() is None:
            self.process.send_signal(signal.Signals[f"SIG{self.end_signal}"])
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _failure(self, what: str) -> RuntimeError:
        last_words = self.log.read_text(errors="replace")[-3000:]
        return RuntimeError(f"{self.process.args}: {what}\n{last_words}")
