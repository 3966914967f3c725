"""Processes that were given a directory to serve: virtiofsd, and QEMU itself for 9p.

Both keep it open in mount namespaces of their own, so umount(2) here would succeed under them
and take nothing away.
"""

import os
from pathlib import Path


def of(directory: Path) -> list[int]:
    """Ids of the processes that have the directory in their command line."""
    found: list[int] = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path("/proc", name, "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in line:
            found.append(int(name))
    return found
