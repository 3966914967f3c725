"""Which of two gateways has the addresses is keepalived's to decide (VRRP, RFC 5798): one process
in each gateway's namespace, without systemd. A conntrackd beside it shares connections.

It hears the other one on the storage leg only, by unicast. A process is found again by its
configuration's path, which is its mark.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from roadstead.drivers.failover.keepalived import conf
from roadstead.drivers.failover.keepalived.conntrackd import PROGRAM as CONNTRACKD
from roadstead.drivers.failover.keepalived.conntrackd import Conntrackd
from roadstead.drivers.host import conntrack, netlink, process
from roadstead.model import world as w
from roadstead.model.errors import DriverError, NotFound, Transient
from roadstead.model.pairs import PairSpec
from roadstead.process.files import temporary_of, write_durably

log = structlog.get_logger()

_PROGRAM = "keepalived"
_START_LIMIT = 5.0
_STOP_PATIENCE = 4.0
_LOG_LIMIT = 1 << 20
_SUFFIX = ".conf"


class Keepalived:
    """`directory`: its files; below /run, for they mean nothing after a reboot."""

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory).absolute()
        self._script = self._directory / "leg.sh"
        self._shared = Conntrackd(self._directory)

    def check(self) -> None:
        """As the Protocol says."""
        if shutil.which(_PROGRAM) is None:
            raise DriverError("keepalived is not installed")

    def ensure(self, place: w.Place, spec: PairSpec) -> None:
        """As the Protocol says. Nothing happens when nothing changes."""
        files, turn = self._files(place.id), ""
        if self._shared.is_here():
            turn = self._shared.turn(place.id)
            self._share(place, spec)
        text = conf.text(spec, str(self._script), turn)
        running = _parent(files.pids())
        if running is None or not process.is_in(running, place.netns):
            files.kill()
            self._start(place, files, text)
        elif files.loaded() != text:
            files.write(text)
            with contextlib.suppress(ProcessLookupError):
                os.kill(running, signal.SIGHUP)
            files.note(text)

    def ensure_absent(self, place_id: str) -> None:
        """As the Protocol says."""
        files = self._files(place_id)
        if files.conf.exists():
            files.kill()
            self._shared.ensure_absent(place_id)
            files.remove()

    def stop_all(self) -> None:
        """As the Protocol says."""
        for place_id in self._known():
            files = self._files(place_id)
            if (parent := _parent(files.pids())) is not None:
                process.end(parent, patience=_STOP_PATIENCE)
            files.kill()
            self._shared.ensure_absent(place_id)
            files.remove()

    def holds(self, place: w.Place) -> bool:
        """As the Protocol says."""
        try:
            there = netlink.within(place.netns, lambda links: links.addresses(links.get("lo")))
        except NotFound:
            return False
        return any(marker in there for marker in conf.MARKER.values())

    def forget_connections(self, place: w.Place) -> None:
        """As the Protocol says."""
        with contextlib.suppress(NotFound):
            netlink.within(place.netns, lambda _: conntrack.forget(conntrack.connections()))

    def inventory(self) -> Iterator[w.Mark]:
        """As the Protocol says; broken when its process, or the one beside it, is gone."""
        known = self._known()
        running = _arguments() if known else frozenset[str]()
        shares = self._shared.is_here()
        for place_id in known:
            needed = {str(self._files(place_id).conf)}
            if shares:
                needed.add(str(self._shared.conf(place_id)))
            runs = needed <= running
            yield w.Mark(kind="pair", id=place_id, broken=None if runs else "it does not run")

    def _known(self) -> list[str]:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(n.removesuffix(_SUFFIX) for n in names if n.endswith(_SUFFIX))

    def _files(self, place_id: str) -> "_Files":
        return _Files(self._directory, place_id)

    def _share(self, place: w.Place, spec: PairSpec) -> None:
        """Connections are shared, or else it is tried again: the election must not wait for it."""
        try:
            self._shared.ensure(place, spec)
        except Transient as error:
            log.warning("connections are not shared", place=place.id, error=str(error))

    def _start(self, place: w.Place, files: "_Files", text: str) -> None:
        """It runs and takes signals. Addresses that a dead one left are off by then."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        write_durably(self._script, conf.SCRIPT, mode=0o700)
        files.clear()
        files.write(text)
        try:
            pid = netlink.within(place.netns, lambda _: process.start(files.argv(), log=files.log))
        except NotFound as error:
            raise Transient(f"the gateway's namespace {place.netns} is not there") from error
        end = time.monotonic() + _START_LIMIT
        while not files.child_pid.exists():
            if not process.is_running(pid) or time.monotonic() > end:
                files.kill()
                raise Transient(f"keepalived does not start: {files.last_line()}")
            time.sleep(0.02)
        files.note(text)


class _Files:
    """The files of one place's keepalived."""

    def __init__(self, directory: Path, place_id: str) -> None:
        self.conf = directory / f"{place_id}{_SUFFIX}"
        self.log = directory / f"{place_id}.log"
        self.child_pid = directory / f"{place_id}.vrrp.pid"
        self._pid = directory / f"{place_id}.pid"
        self._loaded = directory / f"{place_id}.loaded"

    def argv(self) -> list[str]:
        """In the foreground, VRRP only, output to where it was started."""
        argv = [_PROGRAM, "--dont-fork", "--vrrp", "--log-console", "--no-syslog"]
        argv += ["--pid", str(self._pid), "--vrrp_pid", str(self.child_pid)]
        return [*argv, "--use-file", str(self.conf)]

    def pids(self) -> list[int]:
        """Its processes: a parent, and a child that does the work."""
        return process.find([_PROGRAM], str(self.conf))

    def kill(self) -> None:
        """No process is left; it had no time to say anything, here or to the other side."""
        for _ in range(100):  # a parent starts its child anew
            pids = self.pids()
            if not pids:
                return
            for pid in sorted(pids, key=lambda p: p != _parent(pids)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        raise Transient("keepalived does not end")

    def write(self, text: str) -> None:
        """The next one that starts, or is told to look again, finds this."""
        write_durably(self.conf, text)

    def loaded(self) -> str:
        """What the running one was told last."""
        try:
            return self._loaded.read_text()
        except FileNotFoundError:
            return ""

    def note(self, text: str) -> None:
        """It has been told."""
        write_durably(self._loaded, text)

    def clear(self) -> None:
        """As before a start: nothing a dead one left is believed."""
        half = map(temporary_of, (self.conf, self._loaded))
        for path in (self._pid, self.child_pid, self._loaded, *half):
            path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_LIMIT:
                self.log.unlink()

    def remove(self) -> None:
        """Nothing is left; the mark goes last."""
        self.clear()
        self.log.unlink(missing_ok=True)
        self.conf.unlink(missing_ok=True)

    def last_line(self) -> str:
        """What it said last."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return "it said nothing"
        told = [line for line in lines if "exited with" not in line and "Stopped" not in line]
        return told[-1] if told else "it said nothing"


def _arguments() -> frozenset[str]:
    """Those of every running keepalived and conntrackd, found in one walk."""
    return frozenset(
        argument
        for _, (program, *arguments) in process.command_lines()
        if os.path.basename(program) in (_PROGRAM, CONNTRACKD)
        for argument in arguments
    )


def _parent(pids: list[int]) -> int | None:
    """The one whose parent is none of them."""
    return next((pid for pid in pids if process.parent(pid) not in pids), None)
