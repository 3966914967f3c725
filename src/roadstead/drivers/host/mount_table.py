"""Mounts of this mount namespace with their options: /proc/self/mountinfo, proc(5)."""

import os
from pathlib import Path

import msgspec

from roadstead.drivers.host import mounts


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The mount that one sees at a point; asking costs nothing even when its server is dead."""

    id: int
    device: str  # major:minor of its filesystem
    root: str  # the directory of its filesystem that is seen at the point
    point: str
    fstype: str
    source: str
    options: frozenset[str]

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through this mount."""
        return "ro" in self.options


def lines(process: int | str = "self") -> list[Seen]:
    """Every mount as the process sees it, a later one over an earlier one at the same point.
    OSError when the process is gone."""
    text = Path(f"/proc/{process}/mountinfo").read_bytes()
    return [_parsed(line.decode(errors="surrogateescape")) for line in text.splitlines()]


def read() -> dict[str, Seen]:
    """Every mount point's uppermost mount."""
    return {seen.point: seen for seen in lines()}


def root_of(process: int) -> Seen | None:
    """The mount that is the process's root, whatever is mounted over it; None when it is hidden.
    OSError when the process is gone."""
    # A link into another namespace: it leads to the very directory.
    fd = os.open(f"/proc/{process}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        number = mounts.id_of_fd(fd)
    finally:
        os.close(fd)
    return next((seen for seen in lines(process) if seen.id == number), None)


def at(point: Path | str) -> Seen | None:
    """The mount at exactly this point; None when nothing is mounted there."""
    return read().get(str(point))


def below(path: Path | str) -> Seen | None:
    """The mount on which the path lies, whether it is a mount point or not; no link is followed
    into another one as long as the path is a real one."""
    table, place = read(), Path(path)
    return next((table[str(p)] for p in (place, *place.parents) if str(p) in table), None)


def _parsed(line: str) -> Seen:
    (group,) = mounts.parse(line).values()
    mount, fields = group[0], line.split(" ")
    return Seen(
        id=mount.id,
        device=fields[2],
        root=mount.root,
        point=mount.point,
        fstype=mount.fstype,
        source=mount.source,
        options=frozenset(fields[5].split(",")),
    )
