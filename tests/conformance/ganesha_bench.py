"""A real NFS-Ganesha in a network namespace of its own, and clients in the same one."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, ExportBench, rule
from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.drivers.host import process
from roadstead.model import world as w
from roadstead.model.ids import bus_prefix, pseudo_path
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.nfs4 import Client, NfsError, Open
from tests.lab.requirements import require
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from roadstead.drivers.base.export import ExportServer

SERVER, SERVER6 = "10.9.0.1", "fd00:9::1"
CONTENT = b"hello\n"

__all__ = [
    "CONTENT",
    "FAR",
    "NEAR",
    "SERVER",
    "SIBLING",
    "SIX",
    "GaneshaLab",
    "kill",
    "opened",
    "rule",
    "until_refused",
]


@contextlib.contextmanager
def refused(status: str) -> Generator[list[NfsError]]:
    """A list that holds the server's refusal, if there was one; it must be this."""
    found: list[NfsError] = []
    try:
        yield found
    except NfsError as error:
        found.append(error)
    assert [error.status_name for error in found] in ([], [status])


def level_in(client: Client, share: bytes) -> str:
    """ro or rw: found by writing to the share's file, which can be read."""
    assert client.read(client.child(share, "file"), 0, 100) == CONTENT
    with refused("ROFS") as denial:
        file = client.open(share, "file", write=True)
        client.write(file, 0, CONTENT)
        client.close_file(file)
    return "ro" if denial else "rw"


class GaneshaLab(Temporary):
    """A namespace with a server's and some clients' addresses; nothing is left of it."""

    def __init__(self) -> None:
        require("ip", "nsenter", "ganesha.nfsd", "dbus-daemon", root=True)
        self.netns = f"rs-exp-{secrets.token_hex(3)}"
        # Short, because a socket's path in it may have no more than 107 characters.
        self.root = Path(tempfile.mkdtemp(prefix="rs-exp-"))
        self._numbers = itertools.count(1)
        self._drivers: list[ExportServer] = []

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.callback(shutil.rmtree, self.root)
        add_netns(self.netns)
        undo.callback(remove_netns, self.netns)
        undo.callback(self._stop_servers)
        for address in (SERVER, NEAR, SIBLING, FAR):
            ip("addr", "add", f"{address}/32", "dev", "lo", netns=self.netns)
        for address in (SERVER6, SIX):
            ip("addr", "add", f"{address}/128", "dev", "lo", "nodad", netns=self.netns)

    def _stop_servers(self) -> None:
        for driver in self._drivers:
            driver.stop_all()

    def driver(self, *, require_mount: bool = False, lease_seconds: int = 15) -> GaneshaExport:
        """A driver as a newly started agent makes it; all of one lab share one state."""
        options = GaneshaExport.Options(
            state_directory=str(self.root / "state"),
            run_directory=str(self.root / "run"),
            require_mount=require_mount,
            lease_seconds=lease_seconds,
        )
        driver = GaneshaExport(options)
        self._drivers.append(driver)
        return driver

    def place(self) -> w.Place:
        """A place that no other test has had."""
        name = f"host-{next(self._numbers)}"
        return w.Place(id=name, netns=self.netns, addresses=(SERVER, SERVER6))

    def make_path(self) -> str:
        """A directory with a file."""
        path = self.root / "shares" / str(next(self._numbers))
        path.mkdir(parents=True)
        (path / "file").write_bytes(CONTENT)
        return str(path)

    def client(self, address: str = NEAR) -> Client:
        """A client with this address."""
        return Client(SERVER6 if ":" in address else SERVER, source=address, netns=self.netns)

    def level_of(self, address: str, spec: w.ExportSpec) -> str | None:
        """At which level this address gets at the export: really tried, by writing."""
        try:
            client = self.client(address)
        except ConnectionRefusedError:
            return None
        with client:
            with refused("NOENT") as denial:
                share = client.lookup(pseudo_path(spec.instance_id))
            if denial:
                return None
            return level_in(client, share)

    def pid(self, place: w.Place) -> int:
        """The place's server process."""
        conf = self.root / "state" / place.id / "ganesha.conf"
        (pid,) = process.find(["ganesha.nfsd"], str(conf))
        return pid

    def bus_daemon(self) -> list[int]:
        """The message bus process, if it runs."""
        return process.find(["dbus-daemon"], f"--config-file={self.root}/run/bus.conf")

    def bus(self, place: w.Place) -> GaneshaBus:
        """The server's bus, to do to it what an administrator might."""
        return GaneshaBus(self.root / "run" / "bus.sock", bus_prefix(place.id))

    def file(self, spec: w.ExportSpec) -> Path:
        """Where the export is stored."""
        return self.root / "state" / spec.place.id / "exports.d" / f"{spec.export_id}.conf"

    def bench(self, driver: ExportServer | None = None) -> ExportBench:
        """A driver with its server running."""
        driver = driver or self.driver()
        place = self.place()
        driver.ensure_server(place)
        return ExportBench(driver, place, self.make_path, self.level_of)


def kill(pid: int, signal_number: signal.Signals = signal.SIGKILL) -> None:
    """The process has ended."""
    os.kill(pid, signal_number)
    until(lambda: not process.is_running(pid), f"{pid} has ended", seconds=5, pause=0.005)


def until_refused(work: Callable[[], object]) -> tuple[str, float]:
    """The first refusal of work done over and over, and how long it was in coming."""
    began = time.monotonic()
    while time.monotonic() < began + 5:
        try:
            work()
        except NfsError as error:
            return error.status_name, time.monotonic() - began
    raise AssertionError("never refused")


def opened(client: Client, spec: w.ExportSpec, *, write: bool = False) -> Open:
    """The export's file is open."""
    return client.open(client.lookup(pseudo_path(spec.instance_id)), "file", write=write)
