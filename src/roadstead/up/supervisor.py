"""`roadstead up`: one agent (root) and one API process (unprivileged) run, and go on running.

Stays small: whatever needs a big library is done in children that end (`preparation`).
"""

import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from roadstead.config import identity
from roadstead.config.load import load
from roadstead.config.sections import Config
from roadstead.config.source import is_key, warn_in_one_line
from roadstead.engine.unpickling import forbid_unpickling
from roadstead.model.errors import ConfigError
from roadstead.up.child import Child

STOP_SECONDS = 15.0
AGENT_READY = "agent.ready"
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WATCHED = (signal.SIGCHLD, *_STOP)
_IMPATIENCE_SECONDS = 20.0


def run(
    config: Config,
    *,
    children: Sequence[Child] | None = None,
    started_at: float | None = None,
) -> int:
    """Both processes ran until a signal told us to end; 1 when they could not be started, or one
    of them says that it never can with this configuration.

    `children` stand in for them in tests; `started_at` (monotonic) is when the user gave the
    command.
    """
    started_at = time.monotonic() if started_at is None else started_at
    try:
        identity.check(config)
        with _only_one(Path(config.run_directory)):
            (Path(config.run_directory) / AGENT_READY).unlink(missing_ok=True)
            with _listening(config) as listener:
                if children is None:
                    from roadstead.up import preparation

                    children = preparation.prepare(config, listener.fileno())
                return _Supervision(config, children, started_at).run()
    except (ConfigError, OSError) as error:
        say(f"cannot start: {error}")
        return 1


def say(text: str) -> None:
    """A line for whoever watches; nobody watching is no error."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"roadstead: {text}\n")
        sys.stderr.flush()


class _Supervision:
    def __init__(self, config: Config, children: Sequence[Child], started_at: float) -> None:
        self._children = list(children)
        self._environ = _child_environ(os.environ)
        self._url = url_of(config)
        self._address = _local_address(config)
        self._agent_ready = Path(config.run_directory) / AGENT_READY
        self._started_at = started_at
        self._ready = False
        self._patient = True
        self._refused = False

    def run(self) -> int:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            while self._turn() not in _STOP and not self._refused:
                pass
            self._stop()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return int(self._refused)

    def _turn(self) -> int | None:
        """What is due is started, what died is seen, readiness is told; the signal that came."""
        now = time.monotonic()
        for child in self._children:
            if child.pid is None and now >= child.due_at:
                child.start(self._environ)
        if not self._ready:
            self._look_for_readiness(now)
        received = signal.sigtimedwait(_WATCHED, self._patience())
        for child, status in self._reap():
            delay = child.ended()
            if status == os.EX_CONFIG:
                self._refused = True
                say(f"{child.name} cannot run with this configuration")
                continue
            say(f"{child.name} ended ({describe(status)}); it starts again in {delay:g} s")
        return received.si_signo if received else None

    def _patience(self) -> float:
        """Seconds until something is due by itself."""
        now = time.monotonic()
        waits = [max(c.due_at - now, 0.001) for c in self._children if c.pid is None]
        return min([*waits, 3600.0 if self._ready else 0.05])

    def _look_for_readiness(self, now: float) -> None:
        agent = self._agent_ready.exists()
        if agent and _is_healthy(self._address):
            self._ready = True
            say(f"Roadstead is ready: {self._url} in {time.monotonic() - self._started_at:.1f} s")
        elif self._patient and now - self._started_at > _IMPATIENCE_SECONDS:
            self._patient = False
            say(f"still waiting for the {'API' if agent else 'agent'}")

    def _reap(self) -> Iterator[tuple[Child, int]]:
        """Our children that ended; orphans that came to us (as process 1) are laid to rest too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    yield child, os.waitstatus_to_exitcode(status)

    def _stop(self) -> None:
        """Nobody runs any more. A second signal changes nothing: the deadline is short."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(c.pid is not None for c in self._children):
            left = deadline - time.monotonic()
            if left <= 0:
                for child in self._children:
                    if child.pid is not None:
                        say(f"{child.name} did not end in {STOP_SECONDS:g} s and is killed")
                        child.signal(signal.SIGKILL)
                deadline = float("inf")
                left = 1.0
            signal.sigtimedwait((signal.SIGCHLD,), min(left, 1.0))
            for child, _status in self._reap():
                child.pid = None
        say("stopped")


def describe(status: int) -> str:
    """An exit code in words; negative ones are signals."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def url_of(config: Config) -> str:
    """Where clients on this machine find the API."""
    if config.api.base_url:
        return config.api.base_url
    host, port = _local_address(config)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _local_address(config: Config) -> tuple[str, int]:
    unspecified = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- asked about, not bound
    return unspecified.get(config.api.bind, config.api.bind), config.api.port


@contextlib.contextmanager
def _only_one(run_directory: Path) -> Generator[None]:
    """No other supervisor uses this run directory meanwhile. ConfigError when one does."""
    run_directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(run_directory / "supervisor.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            raise ConfigError(f"already running: process {pid} uses {run_directory}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextlib.contextmanager
def _listening(config: Config) -> Generator[socket.socket]:
    """The API's socket. It is ours, so that clients wait while the API starts again, and are not
    refused. ConfigError when the port is taken."""
    family = socket.AF_INET6 if ":" in config.api.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.api.bind, config.api.port))
        except OSError as error:
            where = f"{config.api.bind}:{config.api.port}"
            raise ConfigError(f"api.port: cannot listen at {where}: {error.strerror}") from error
        listener.listen(1024)
        yield listener


def _is_healthy(address: tuple[str, int]) -> bool:
    """The API answers. Written out: an HTTP library would cost more memory than all the rest."""
    try:
        with socket.create_connection(address, timeout=0.5) as client:
            client.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return client.recv(32).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Without our keys, which are in the effective configuration already, passwords among them.
    Two malloc arenas instead of eight per processor: threads that rarely run keep no memory."""
    kept = {k: v for k, v in environ.items() if not is_key(k)}
    return {"MALLOC_ARENA_MAX": "2", **kept}


def main(argv: Sequence[str]) -> int:
    """`python -m roadstead.up.supervisor [--config FILE] [--state DIRECTORY]`, what `roadstead up`
    becomes."""
    forbid_unpickling()
    warn_in_one_line()
    options = dict(zip(argv[::2], argv[1::2], strict=False))
    try:
        config = load(options.get("--config"), os.environ, options.get("--state"))
    except ConfigError as error:
        say(str(error))
        return 1
    from roadstead.up.preparation import can_have_its_roads

    if not can_have_its_roads(config):
        return 1
    return run(config, started_at=_process_started_at())


def _process_started_at() -> float:
    """When this process began, on the monotonic clock; exec does not change it (proc(5))."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
