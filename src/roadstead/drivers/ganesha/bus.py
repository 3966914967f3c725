"""NFS-Ganesha over D-Bus, and the private bus daemon that carries it.

One bus serves the servers of all places: its socket is a path, so it is reached from every
network namespace. It must live: a Ganesha whose bus goes away exits (libdbus' default).
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from roadstead.drivers.host import process
from roadstead.drivers.host.dbus import Call, Connection, Reply
from roadstead.model.errors import DriverError, Transient
from roadstead.process.files import write_durably

# Of a bus that is root's alone, at the path `socket`.
BUS_CONFIG = """\
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="root"/><allow own="*"/><allow send_type="method_call"/>
    <allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""
_PROGRAM = "dbus-daemon"
_START_LIMIT = 10.0
_CALL_LIMIT = 15.0
_LONGEST_SOCKET_PATH = 107  # unix(7)
_ABSENT = frozenset(
    f"org.freedesktop.DBus.Error.{name}"
    for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "Timeout")
)


class Refused(DriverError):
    """Ganesha answered, with an error."""


class BusDaemon:
    """The private message bus; it outlives the agent and is adopted again."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "bus.sock"
        self._conf = directory / "bus.conf"
        self._log = directory / "bus.log"
        self._lock = threading.Lock()
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET_PATH:
            raise DriverError(f"the run directory's path is too long for a socket: {directory}")

    def ensure(self) -> None:
        """The bus answers. A daemon that runs already is kept."""
        with self._lock:
            if not self._answers():
                self._stop()
                self._start()

    def ensure_stopped(self) -> None:
        """No bus runs. Every Ganesha on it ends with it."""
        with self._lock:
            self._stop()

    def _answers(self) -> bool:
        try:
            Connection(self.socket).close()
        except (OSError, EOFError):
            return False
        return True

    def _start(self) -> None:
        directory = self.socket.parent
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        write_durably(self._conf, BUS_CONFIG.format(socket=self.socket))
        reading, writing = os.pipe()
        try:
            argv = [_PROGRAM, self._argument, f"--print-address={writing}"]
            argv += ["--nofork", "--nopidfile", "--nosyslog"]
            process.start(argv, log=self._log, pass_fds=[writing])
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        # It prints its address once it listens.
        with open(reading, "rb", buffering=0) as pipe:
            if not process.line_from(pipe.fileno(), timeout=_START_LIMIT):
                tail = self._log.read_text(errors="replace")[-400:]
                raise Transient(f"the message bus did not start: {tail}")

    def _stop(self) -> None:
        for pid in process.find([_PROGRAM], self._argument):
            process.end(pid, patience=2.0)
        self.socket.unlink(missing_ok=True)

    @property
    def _argument(self) -> str:
        return f"--config-file={self._conf}"


class GaneshaBus:
    """One Ganesha as a callee; `prefix` is its Dbus_Name_Prefix, "" when it has none. Threads may
    share it; Transient when it does not answer."""

    def __init__(self, socket: Path, prefix: str) -> None:
        self._socket = socket
        self._service = f"{prefix}.org.ganesha.nfsd".lstrip(".")
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    def wait(self, is_running: Callable[[], bool], *, timeout: float) -> bool:
        """Whether the server answers. False as soon as `is_running` says it has ended."""
        limit = time.monotonic() + timeout
        try:
            with self._talking() as connection:
                if not connection.wait_for(
                    self._service, lambda: is_running() and time.monotonic() < limit
                ):
                    return False
            # It takes its name early and answers once everything is served.
            self.show_exports()
        except Transient:
            return False
        finally:
            # What was subscribed to for the waiting ends with the connection.
            self.close()
        return True

    def pid(self) -> int:
        """The server's process id."""
        with self._talking() as connection:
            (pid,) = _body(connection.pid_of(self._service, timeout=_CALL_LIMIT))
        return int(pid)

    def add_export(self, file: Path, export_id: int) -> None:
        """The export in the file is served. Refused if any of it is wrong; then the server may
        serve a part of it."""
        self._load("AddExport", file, export_id)

    def update_export(self, file: Path, export_id: int) -> None:
        """The served export's access is what the file says; it must be served already."""
        self._load("UpdateExport", file, export_id)

    def remove_export(self, export_id: int) -> None:
        """The export, which must be served, is not served any more."""
        self._call(self._exports("RemoveExport", "q", export_id))

    def show_exports(self) -> dict[int, str]:
        """{export id: pseudo path} of everything served, but not the root that is always there."""
        _, exports = self._call(self._exports("ShowExports"))
        return {export[0]: export[1] for export in exports if export[0]}

    def display_exports(self, export_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """DisplayExport's answers, for those of the exports that are served."""
        calls = [self._exports("DisplayExport", "q", number) for number in export_ids]
        with self._talking() as connection:
            replies = connection.converse(calls, timeout=_CALL_LIMIT)
        answers: dict[int, tuple[Any, ...]] = {}
        for number, reply in zip(export_ids, replies, strict=True):
            with contextlib.suppress(Refused):
                answers[number] = _body(reply)
        return answers

    def show_clients(self) -> list[tuple[str, float]]:
        """(address, seconds since its last request) of every client seen since the start."""
        call = self._named("ClientMgr", "clientmgr", "ShowClients")
        now, clients = self._call(call)
        return [(client[0], _seconds(now) - _seconds(client[2])) for client in clients]

    def close(self) -> None:
        """No connection is open; the next call opens one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _load(self, method: str, file: Path, export_id: int) -> None:
        which = f"EXPORT(Export_Id={export_id})"
        answer = self._call(self._exports(method, "ss", str(file), which))
        # It says "1 exports added. Errors found: ..." in an answer that is no D-Bus error.
        if "Errors found" in str(answer):
            raise Refused(f"the NFS server did not take the export: {str(answer)[:400]}")

    def _exports(self, method: str, signature: str = "", *body: object) -> Call:
        return self._named("ExportMgr", "exportmgr", method, signature, *body)

    def _named(
        self, thing: str, interface: str, method: str, signature: str = "", *body: object
    ) -> Call:
        path, interface = f"/org/ganesha/nfsd/{thing}", f"org.ganesha.nfsd.{interface}"
        return Call(self._service, path, interface, method, signature, body)

    def _call(self, call: Call) -> tuple[Any, ...]:
        with self._talking() as connection:
            return _body(connection.converse([call], timeout=_CALL_LIMIT)[0])

    @contextlib.contextmanager
    def _talking(self) -> Generator[Connection]:
        """The connection, for this thread alone. It is dropped when anything goes wrong on it:
        a late answer must not be taken for the next call's."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = Connection(self._socket)
                yield self._connection
            except (OSError, EOFError) as error:
                self.close()
                raise Transient(f"the NFS server does not answer: {error!r}") from error


def _body(reply: Reply) -> tuple[Any, ...]:
    if reply.error is None:
        return reply.body
    if reply.error in _ABSENT:
        raise Transient(f"the NFS server does not answer: {reply.error}")
    raise Refused(f"the NFS server refused: {' '.join(map(str, reply.body))[:400]}")


def _seconds(timestamp: tuple[int, int]) -> float:
    return timestamp[0] + timestamp[1] / 1e9
