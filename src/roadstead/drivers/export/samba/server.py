"""The Samba of one place: its files, its processes, its accounts."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from roadstead.drivers.export.samba import conf
from roadstead.drivers.export.samba.accounts import Accounts
from roadstead.drivers.export.samba.control import Control
from roadstead.drivers.export.samba.files import ExportFiles
from roadstead.drivers.host import process
from roadstead.model.errors import Transient
from roadstead.model.world import Place
from roadstead.process.files import write_durably

_PROGRAM = "smbd"
# The library of that name in Debian: passwd and group of a process are files of our choice, so
# that two places may each have a user of the same name and the machine needs none of them.
_OWN_USERS = "libnss_wrapper.so"
_DIRECTORIES = ("private", "lock", "state", "cache", "pid", "ncalrpc")
_START_LIMIT = 20.0
_STOP_PATIENCE = 5.0
_LISTENING = "0A"  # tcp(7) states in /proc/net/tcp are the kernel's TCP_LISTEN


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all places."""

    state_directory: Path
    port: int


class Server:
    """One place's server. `lock` is held by whoever changes what it serves."""

    def __init__(self, place_id: str, options: Settings) -> None:
        self.lock = threading.RLock()
        self._place_id = place_id
        self._options = options
        self._state = options.state_directory / place_id
        self._conf = self._state / "smb.conf"
        self._log = self._state / "smbd.out"
        self.files = ExportFiles(self._state / "exports.d")
        self.accounts = Accounts(self._state)
        self._env = {
            "LD_PRELOAD": _OWN_USERS,
            "NSS_WRAPPER_PASSWD": str(self.accounts.passwd),
            "NSS_WRAPPER_GROUP": str(self.accounts.group),
        }
        self.control = Control(self._conf, self._env)

    @property
    def is_known(self) -> bool:
        """Whether the place has ever had a server that was not removed."""
        return self._conf.exists()

    def pids(self) -> list[int]:
        """The server's processes: one that listens, and one for each client."""
        return process.find([_PROGRAM, "nsenter"], str(self._conf))

    def is_running(self) -> bool:
        """Whether the server listens."""
        return self._listener() is not None

    def ensure_running(self, place: Place, exports: Iterable[conf.StoredExport]) -> None:
        """The server runs with these settings, listens, and has been told these exports.

        Transient when it does not start.
        """
        begin = conf.server_text(self._settings(place))
        same = self.is_known and self._conf.read_text().startswith(begin)
        listener = self._listener() if same else None
        if listener is not None and process.is_in(listener, place.netns):
            self.publish(exports)
            self.control.reload()
            return
        self.ensure_stopped()
        self._prepare()
        self._write_conf(begin, exports)
        self._start(place)

    def publish(self, exports: Iterable[conf.StoredExport]) -> None:
        """The configuration file says these exports; who runs has to be told to read it."""
        begin, _, _ = self._conf.read_text().partition("[share-")
        self._write_conf(begin, exports)

    def published(self) -> dict[str, str]:
        """Sections of the configuration file by the share's name."""
        try:
            return conf.sections(self._conf.read_text())
        except FileNotFoundError:
            return {}

    def ensure_stopped(self) -> None:
        """No process of it runs; files stay."""
        # The one that listens first, or there would be new ones.
        pids = self.pids()
        for pid in sorted(pids, key=lambda pid: process.parent(pid) in pids):
            process.end(pid, patience=_STOP_PATIENCE)
        for pid in self.pids():
            process.end(pid, patience=0.0)

    def ensure_absent(self) -> None:
        """Neither process nor files are left."""
        self.ensure_stopped()
        if self._state.exists():
            shutil.rmtree(self._state)

    def _settings(self, place: Place) -> conf.ServerSettings:
        # In a namespace of its own every address is the tenant's; the host may have others.
        return conf.ServerSettings(
            state=str(self._state),
            port=self._options.port,
            addresses=place.addresses if place.netns is None else (),
        )

    def _prepare(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        self._state.chmod(0o700)
        for name in _DIRECTORIES:
            (self._state / name).mkdir(exist_ok=True)
        (self._state / "private").chmod(0o700)
        self.accounts.ensure_files()

    def _write_conf(self, begin: str, exports: Iterable[conf.StoredExport]) -> None:
        text = begin + "".join(map(conf.share_text, exports))
        if not self._conf.exists() or self._conf.read_text() != text:
            write_durably(self._conf, text)

    def _start(self, place: Place) -> None:
        if place.netns is not None and not Path("/run/netns", place.netns).exists():
            raise Transient(f"network namespace {place.netns} is not there")
        # nsenter, not `ip netns exec`: that one makes a mount namespace, in which the server
        # would serve the empty directory beneath whatever is mounted later.
        enter = [] if place.netns is None else ["nsenter", f"--net=/run/netns/{place.netns}", "--"]
        argv = [*enter, _PROGRAM, "-F", "--no-process-group", "-s", str(self._conf)]
        self._log.unlink(missing_ok=True)
        pid = process.start(argv, log=self._log, env=self._env)
        limit = time.monotonic() + _START_LIMIT
        while not self._is_listening(pid):
            if not process.is_running(pid) or time.monotonic() > limit:
                self.ensure_stopped()
                raise Transient(f"the SMB server of {self._place_id} did not start: {self._said()}")
            time.sleep(0.01)

    def _said(self) -> str:
        found = [f.read_text(errors="replace")[-400:] for f in self._logs() if f.exists()]
        return " | ".join(found)

    def _logs(self) -> list[Path]:
        return [self._log, self._state / "smbd.log"]

    def _listener(self) -> int | None:
        return next((pid for pid in self.pids() if self._is_listening(pid)), None)

    def _is_listening(self, pid: int) -> bool:
        try:
            held = _open_files(pid)
            tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
        except OSError:
            return False
        rows = [line.split() for table in tables for line in table.splitlines()[1:]]
        port = f":{self._options.port:04X}"
        return any(
            row[1].endswith(port) and row[3] == _LISTENING and f"socket:[{row[9]}]" in held
            for row in rows
        )


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found
