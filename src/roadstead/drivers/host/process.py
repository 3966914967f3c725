"""Processes that outlive the agent: started, found again by their command line, ended.

A command line names a configuration file of ours, so it tells whose process it is more surely
than a pid file can: it cannot be stale, and a start that was killed half-way cannot lack it.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from roadstead.model.errors import DriverError

# Kept so that a dead one is reaped and a living one may outlast its Popen object.
_children: list[subprocess.Popen[bytes]] = []
_children_lock = threading.Lock()


def start(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> int:
    """The process id of the program, running in a session of its own, output to the log.

    DriverError when it is not installed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Its output must not be our pipe: that would end, or hang, with the agent.
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=None if env is None else {**os.environ, **env},
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise DriverError(f"{argv[0]} is not installed") from error
    with _children_lock:
        _children[:] = [other for other in _children if other.poll() is None]
        _children.append(child)
    return child.pid


def find(programs: Sequence[str], argument: str) -> list[int]:
    """Ids of running processes of one of these programs that have exactly this argument."""
    return [
        pid
        for pid, (program, *arguments) in command_lines()
        if os.path.basename(program) in programs and argument in arguments
    ]


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """(id, words of the command line) of every running process. A zombie has no words, so that one
    never counts as running."""
    for pid in ids():
        try:
            line = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            continue
        if line:
            yield pid, line.removesuffix("\0").split("\0")


def ids() -> Iterator[int]:
    """Ids of all processes; any may have ended since."""
    return map(int, filter(str.isdigit, os.listdir("/proc")))


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended (a zombie has)."""
    _reap(pid)
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def parent(pid: int) -> int | None:
    """Id of the process that has this one as its child; None when this one has ended."""
    stat = _stat(pid)
    return None if stat is None else int(stat[1])


def started_at(pid: int) -> datetime | None:
    """When the process was started; None when it has ended."""
    stat = _stat(pid)
    if stat is None:
        return None
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    seconds = int(stat[19]) / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(round(booted + seconds), UTC)


def is_in(pid: int, netns: str | None) -> bool:
    """The process is in the network namespace of that name, and not in one of that name from
    before; None = our own."""
    there = "/proc/self/ns/net" if netns is None else f"/run/netns/{netns}"
    try:
        return os.path.samefile(f"/proc/{pid}/ns/net", there)
    except OSError:
        return False


def end(pid: int, *, patience: float) -> None:
    """The process has ended: by SIGTERM, or by SIGKILL after `patience` seconds."""
    try:
        # A descriptor stays this process's even when its number is given to another.
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)
            if select.select([fd], [], [], seconds)[0]:
                return
        raise DriverError(f"process {pid} does not end, not even by SIGKILL")
    finally:
        os.close(fd)
        _reap(pid)


def line_from(fd: int, *, timeout: float) -> bytes:
    """What was written to the pipe up to its first line's end, its close or the time limit."""
    text, limit = b"", time.monotonic() + timeout
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, limit - time.monotonic()))
        part = os.read(fd, 4096) if ready else b""
        if not part:
            break
        text += part
    return text


def _stat(pid: int) -> list[str] | None:
    """What proc(5) tells in /proc/PID/stat from the state on; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _reap(pid: int) -> None:
    with _children_lock:
        for child in _children:
            if child.pid == pid:
                child.poll()
