"""The process behind a FUSE mount of an NFS export: started, found again, ended.

It outlives the agent. Its mount point in its command line is its mark.
"""

import ctypes.util
import os
import sys
from pathlib import Path

from roadstead.drivers.host import process
from roadstead.drivers.host.mount_table import Seen
from roadstead.model.errors import Transient

PROGRAM = "roadstead.drivers.host.nfs.fuse"
START_SECONDS, END_SECONDS = 20.0, 5.0


def libnfs() -> str | None:
    """The name of the library, if it is installed."""
    return ctypes.util.find_library("nfs")


def serves(seen: Seen, source: str) -> bool:
    """Whether the mount is a FUSE mount of that NFS path."""
    return seen.fstype == "fuse.nfs" and seen.source == source


def find(point: Path) -> list[int]:
    """Process ids behind the mount."""
    return process.find([os.path.basename(sys.executable)], str(point))


def start(url: str, source: str, point: Path, *, read_only: bool, log: Path) -> None:
    """The export is mounted and answers. Transient, with the reason, when it cannot be."""
    end(point)
    reader, writer = os.pipe()
    try:
        level = "ro" if read_only else "rw"
        argv = [sys.executable, "-m", PROGRAM, url, source, str(point), level, str(writer)]
        log.unlink(missing_ok=True)
        process.start(argv, log=log, pass_fds=(writer,))
        os.close(writer)
        writer = -1
        if process.line_from(reader, timeout=START_SECONDS) != b"mounted\n":
            end(point)
            said = log.read_text(errors="replace").strip().splitlines()
            raise Transient(f"{source} cannot be mounted: {said[-1] if said else 'no answer'}")
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


def end(point: Path) -> None:
    """No process is behind the mount any more."""
    for pid in find(point):
        process.end(pid, patience=END_SECONDS)
