"""Processes that were given a directory to serve: virtiofsd, and QEMU itself for 9p.

Both keep it open in mount namespaces of their own, so umount(2) here would succeed under them
and take nothing away.
"""

from pathlib import Path

from roadstead.drivers.host import process


def of(directory: Path) -> list[int]:
    """Ids of the processes that have the directory in their command line."""
    return [
        pid
        for pid, words in process.command_lines()
        if any(str(directory) in word for word in words)
    ]
