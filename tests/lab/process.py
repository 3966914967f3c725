"""Child processes that cannot outlive the test run."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from tests.lab.requirements import LabError
from tests.waiting import in_time

# A parent-death signal fires when the THREAD that forked ends, not only the process:
# children started from a short-lived test thread would die with it. So one thread that
# lives as long as the process starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-starter")


def _renew() -> None:
    # A forked child has the object but not the thread behind it.
    global _starter
    _starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-starter")


os.register_at_fork(after_in_child=_renew)


def enter(netns: str | None) -> list[str]:
    """The words to put before a command so that it runs in a named network namespace.

    nsenter and not "ip netns exec": that one makes a private mount namespace, in which
    a server does not see what is mounted later.
    """
    return ["nsenter", f"--net=/run/netns/{netns}", "--"] if netns else []


def spawn(
    argv: Sequence[str],
    *,
    netns: str | None = None,
    output: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    """A process, killed by the kernel when this one ends for whatever reason.

    Its standard output and error go to a file or nowhere: a child that kept our own
    pipes would hold them open after we died.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "--", *enter(netns), *argv]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            pass_fds=pass_fds,
            cwd=cwd,
            start_new_session=True,
        )

    return _starter.submit(start).result()


def until_ready(
    process: subprocess.Popen[bytes],
    ready: Callable[[], object],
    what: str,
    *,
    seconds: float,
    log: Callable[[], str],
) -> None:
    """`ready` came true. LabError with the end of what was logged when the process ended before
    that, or did not get there in time."""

    def look() -> bool:
        if process.poll() is not None:
            raise LabError(f"{what}: it ended with {process.returncode}: {log()[-6000:]}")
        return bool(ready())

    if not in_time(look, seconds):
        raise LabError(f"{what}: not in {seconds:g} s: {log()[-6000:]}")


def stop(process: subprocess.Popen[bytes], grace: float = 5.0) -> None:
    """The process has ended: politely if it does so within the grace, else killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
