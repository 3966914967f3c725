"""What one gateway's kernel knows of connections the other of a pair learns as it happens: one
conntrackd in each gateway's namespace, by unicast on the storage leg (conntrackd.conf(5)).

It keeps what it hears to itself until its gateway gets the addresses: a gateway that waits has no
connection in its kernel, which it would have to judge or could forget for both.
"""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from roadstead.drivers.host import netlink, process
from roadstead.model import world as w
from roadstead.model.errors import NotFound, Transient
from roadstead.model.pairs import PairSpec
from roadstead.process.files import temporary_of, write_durably

PROGRAM = "conntrackd"
PORT = 3780  # the gateway's rules admit it on the storage leg
_START_LIMIT = 5.0
_STOP_PATIENCE = 2.0
_SUFFIX = ".conntrackd"
_LOG_LIMIT = 1 << 20
_SCRIPT = "turn.sh"

_TEXT = """\
Sync {{
  Mode FTFW {{
    StartupResync yes
  }}
  UDP {{
    IPv{version}_address {own}
    IPv{version}_Destination_Address {peer}
    Port {port}
    Interface {interface}
    Checksum on
  }}
}}
General {{
  HashSize 4096
  HashLimit 262144
  LogFile off
  Syslog off
  LockFile {lock}
  UNIX {{
    Path {socket}
  }}
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  Filter From Userspace {{
    Protocol Accept {{
      TCP
    }}
  }}
}}
"""

# keepalived runs it. What was heard goes into the kernel with the addresses. After that it would
# have to be thrown away, or its dead would rise at the next take-over; that is refused (1.4.7:
# "commit still in progress"). So the process ends, and the next look at the gateway starts one.
SCRIPT = """\
#!/bin/bash
# Usage: turn.sh CONFIGURATION master|backup
exec >/dev/null 2>&1
tell() { conntrackd -C "$conf" "$@"; }
conf=$1
if [ "$2" = master ]; then
  heard=$(tell -e)
  tell -c
  tell -R
  tell -B
  if [ -n "$heard" ]; then
    sleep 1
    tell -k
  fi
else
  tell -n
fi
"""


class Conntrackd:
    """`directory`: its files, beside keepalived's. Without the program nothing ever happens."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def is_here(self) -> bool:
        """It is installed."""
        return shutil.which(PROGRAM) is not None

    def conf(self, place_id: str) -> Path:
        """Its configuration, which is its mark."""
        return self._directory / f"{place_id}{_SUFFIX}"

    def turn(self, place_id: str) -> str:
        """The command for keepalived; it lacks a word that says how the election went."""
        return f"{self._directory / _SCRIPT} {self.conf(place_id)}"

    def runs(self, place_id: str) -> bool:
        """One runs for the place."""
        return bool(_pids(self.conf(place_id)))

    def ensure(self, place: w.Place, spec: PairSpec) -> None:
        """One runs in the place's namespace as the spec says. Transient when it does not start."""
        conf, wanted = self.conf(place.id), self.text(place.id, spec)
        pids = _pids(conf)
        if len(pids) == 1 and process.is_in(pids[0], place.netns) and _read(conf) == wanted:
            return
        self._end(conf)
        self._start(place, conf, wanted)

    def ensure_absent(self, place_id: str) -> None:
        """Neither process nor file is left."""
        conf = self.conf(place_id)
        self._end(conf)
        self._clear(conf)
        for path in (self._log(conf), conf):
            path.unlink(missing_ok=True)

    def text(self, place_id: str, spec: PairSpec) -> str:
        """The configuration; equal for equal ends of the leg."""
        conf = self.conf(place_id)
        return _TEXT.format(
            version=6 if ":" in spec.own else 4,
            own=spec.own,
            peer=spec.peer,
            port=PORT,
            interface=spec.interface,
            lock=f"{conf}.lock",
            socket=_socket(conf),
        )

    def _start(self, place: w.Place, conf: Path, text: str) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        write_durably(self._directory / _SCRIPT, SCRIPT, mode=0o700)
        self._clear(conf)
        write_durably(conf, text)
        argv, log = [PROGRAM, "-C", str(conf)], self._log(conf)
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_LIMIT:
                log.unlink()
        try:
            pid = netlink.within(place.netns, lambda _: process.start(argv, log=log))
        except NotFound as error:
            raise Transient(f"the gateway's namespace {place.netns} is not there") from error
        end = time.monotonic() + _START_LIMIT
        while not _socket(conf).exists():
            if not process.is_running(pid) or time.monotonic() > end:
                self._end(conf)
                raise Transient(f"conntrackd does not start; {log} says why")
            time.sleep(0.02)
        # The other side may have missed what was new while none ran here.
        tell = [*argv, "-B"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(tell, capture_output=True, timeout=_START_LIMIT, check=False)

    def _end(self, conf: Path) -> None:
        for pid in _pids(conf):
            process.end(pid, patience=_STOP_PATIENCE)

    def _clear(self, conf: Path) -> None:
        """One that was killed leaves a lock, with which none starts."""
        for path in (Path(f"{conf}.lock"), _socket(conf), temporary_of(conf)):
            path.unlink(missing_ok=True)

    def _log(self, conf: Path) -> Path:
        return conf.with_suffix(".connections.log")


def _socket(conf: Path) -> Path:
    """Short: the kernel takes no more than 107 bytes."""
    return conf.with_suffix(".ctl")


def _pids(conf: Path) -> list[int]:
    """Those that run as a daemon; one that tells another something has more words."""
    return [
        pid
        for pid, words in process.command_lines()
        if os.path.basename(words[0]) == PROGRAM and words[-1] == str(conf)
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
