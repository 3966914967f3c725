"""The NFS-Ganesha of one place: its files, its process, its bus."""

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from roadstead.drivers.export.ganesha.files import ExportFiles
from roadstead.drivers.ganesha import conf
from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.drivers.host import process
from roadstead.model.errors import DriverError, Transient
from roadstead.model.ids import bus_prefix
from roadstead.model.world import Place
from roadstead.process.files import write_durably

_PROGRAM = "ganesha.nfsd"
_VFS, _PROXY = "libfsalvfs.so", "libfsalproxy_v4.so"
_PACKAGES = {_VFS: "nfs-ganesha-vfs", _PROXY: "nfs-ganesha-proxy-v4"}
# The package nfs-ganesha-ceph's. Every Ganesha that finds it loads librados: five times the
# memory, ten times as long a start, for a kind of %url that we do not write.
_RADOS = "libganesha_rados_urls.so"
_START_LIMIT = 20.0
_ADOPT_LIMIT = 5.0
_STOP_PATIENCE = 10.0
_LOG_LIMIT = 16 << 20


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all places."""

    state_directory: Path
    run_directory: Path
    grace: bool
    lease_seconds: int
    port: int
    minor_versions: tuple[int, ...]
    nfs3: bool = False
    proxy: bool = False  # what it serves is another server's
    before_start: Callable[[Place], None] | None = None


class Server:
    """One place's server. `lock` is held by whoever changes what it serves."""

    def __init__(self, place_id: str, options: Settings, socket: Path) -> None:
        self.lock = threading.RLock()
        self.bus = GaneshaBus(socket, bus_prefix(place_id))
        self._place_id = place_id
        self._options = options
        self._socket = socket
        self._state = options.state_directory / place_id
        self._pid_file = options.run_directory / f"{place_id}.pid"
        self._conf = self._state / "ganesha.conf"
        self._log = self._state / "ganesha.log"
        self.files = ExportFiles(self._state / "exports.d")

    @property
    def is_known(self) -> bool:
        """Whether the place has ever had a server that was not removed."""
        return self._conf.exists()

    def pids(self) -> list[int]:
        """The server's process, if it runs; more than one only while one dies."""
        return process.find([_PROGRAM, "nsenter"], str(self._conf))

    def ensure_running(self, place: Place, exports: Sequence[conf.StoredExport]) -> None:
        """The server runs with these settings and answers. If it had to be started it serves
        these exports from its first answer on, so that clients can reclaim what they had open.

        Transient when it does not start.
        """
        settings = self._settings(place)
        text = f"# {place.id} in {place.netns}\n{conf.server_text(settings)}"
        if self.is_known and self._conf.read_text() == text and self._answers():
            # Its network namespace may have been made anew under the same name.
            if process.is_in(self.bus.pid(), place.netns):
                return
        self.ensure_stopped()
        self._start(place, text, Path(settings.exports_file), exports)

    def ensure_stopped(self) -> None:
        """The process has ended; files and the clients' recovery records stay."""
        self.bus.close()
        for pid in self.pids():
            # A proxy would talk to the other server for a minute first, whether it answers or not.
            process.end(pid, patience=0.0 if self._options.proxy else _STOP_PATIENCE)

    def ensure_absent(self) -> None:
        """Neither process nor files are left."""
        self.ensure_stopped()
        self._pid_file.unlink(missing_ok=True)
        if self._state.exists():
            shutil.rmtree(self._state)

    def _answers(self) -> bool:
        try:
            self.bus.show_exports()
        except Transient:
            # Perhaps it was started a moment ago, by an agent that was killed since.
            pids = self.pids()
            return bool(pids) and self._answers_within(_ADOPT_LIMIT, pids[0])
        return True

    def _answers_within(self, seconds: float, pid: int) -> bool:
        return self.bus.wait(lambda: process.is_running(pid), timeout=seconds)

    def _start(
        self, place: Place, text: str, exports_file: Path, exports: Sequence[conf.StoredExport]
    ) -> None:
        if place.netns is not None and not Path("/run/netns", place.netns).exists():
            raise Transient(f"network namespace {place.netns} is not there")
        self._state.mkdir(parents=True, exist_ok=True)
        self._state.chmod(0o700)
        (self._state / "recovery").mkdir(exist_ok=True)
        write_durably(exports_file, "".join(map(conf.export_text, exports)))
        write_durably(self._conf, text)
        self._turn_log()
        # nsenter, not `ip netns exec`: that one makes a mount namespace, in which the server
        # would serve the empty directory beneath whatever is mounted later.
        enter = [] if place.netns is None else ["nsenter", f"--net=/run/netns/{place.netns}", "--"]
        argv = [*enter, _PROGRAM, "-F", "-N", "NIV_EVENT", "-L", str(self._log)]
        argv += ["-f", str(self._conf), "-p", str(self._pid_file)]
        if self._options.before_start is not None:
            self._options.before_start(place)
        begin = self._log.stat().st_size if self._log.exists() else 0
        pid = process.start(argv, log=self._log, env=self._environment())
        if not self._answers_within(_START_LIMIT, pid):
            process.end(pid, patience=0.0)
            with self._log.open(errors="replace") as log:
                log.seek(begin)
                tail = log.read()[-600:]
            raise Transient(f"the NFS server of {self._place_id} did not start: {tail}")

    def _settings(self, place: Place) -> conf.ServerSettings:
        proxy = self._options.proxy
        return conf.ServerSettings(
            dbus_prefix=bus_prefix(place.id),
            recovery_root=str(self._state / "recovery"),
            exports_file=str(self._state / "exports.conf"),
            plugins_directory=_plugins_directory(_PROXY if proxy else _VFS),
            dual_stack=any(":" in address for address in place.addresses),
            port=self._options.port,
            minor_versions=self._options.minor_versions,
            nfs3=self._options.nfs3,
            graceless=not self._options.grace,
            lease_seconds=self._options.lease_seconds,
            only_at=place.addresses[0] if proxy and len(place.addresses) == 1 else "",
            more=conf.PROXY_SETTINGS if proxy else "",
        )

    def _environment(self) -> dict[str, str]:
        # An empty file is found first and is no library: Ganesha goes on without.
        hidden = self._options.run_directory / "without-rados"
        hidden.mkdir(parents=True, exist_ok=True)
        (hidden / _RADOS).touch()
        return {
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self._socket}",
            "LD_LIBRARY_PATH": str(hidden),
        }

    def _turn_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.rename(self._log.with_suffix(".log.1"))


def _plugins_directory(layer: str) -> str:
    """Where the package put Ganesha's file system layers (multiarch on Debian)."""
    for pattern in ("*/ganesha", "ganesha"):
        for directory in sorted(Path("/usr/lib").glob(pattern)):
            if (directory / layer).exists():
                return str(directory)
    if Path("/usr/lib64/ganesha", layer).exists():
        return "/usr/lib64/ganesha"
    raise DriverError(f"{layer} not found: is {_PACKAGES[layer]} installed?")
