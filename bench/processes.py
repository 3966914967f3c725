"""Processor time and memory of running processes, from /proc (proc(5))."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.live.service import Roadstead, children_of

_TICK = 1000 / os.sysconf("SC_CLK_TCK")  # milliseconds
MIB = 1 << 20


@dataclass(frozen=True)
class Cpu:
    """Milliseconds: of the process itself, and of the programs it started and waited for."""

    own: float = 0.0
    programs: float = 0.0

    @classmethod
    def of(cls, pid: int) -> Self:
        """Since the process began; exact to 10 ms, so measure many requests together."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user, system, waited_user, waited_system = (int(field) * _TICK for field in fields[11:15])
        return cls(user + system, waited_user + waited_system)

    def __sub__(self, before: "Cpu") -> "Cpu":
        return Cpu(self.own - before.own, self.programs - before.programs)


@dataclass(frozen=True)
class Memory:
    """MiB. `pss` shares what other processes of this machine use too, so it is less while another
    Python runs; `alone` counts each file's pages once for all processes given, and nothing else's.
    """

    pss: float
    alone: float


def memory(pids: Iterable[int]) -> Memory:
    """What the processes take together."""
    pss, own, files = 0, 0, dict[str, int]()
    for pid in pids:
        for name, fields in _mappings(pid):
            pss += fields["Pss"]
            own += fields["Anonymous"]
            if name.startswith("/"):
                key = f"{pid}{name}"
                files[key] = files.get(key, 0) + fields["Rss"] - fields["Anonymous"]
    largest = dict[str, int]()
    for key, size in files.items():
        name = key[key.index("/") :]
        largest[name] = max(largest.get(name, 0), size)
    return Memory(pss / 1024, (own + sum(largest.values())) / 1024)


def _mappings(pid: int) -> Iterable[tuple[str, dict[str, int]]]:
    """(file or "", kB by name) of each mapping."""
    name, fields = "", dict[str, int]()
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            if fields:
                yield name, fields
            name, fields = words[5] if len(words) > 5 else "", {}
        elif words[-1] == "kB":
            fields[words[0][:-1]] = int(words[1])
    if fields:
        yield name, fields


@dataclass(frozen=True)
class Service:
    """The processes of a running service."""

    supervisor: int
    agent: int
    api: int
    exports: tuple[int, ...]  # export servers and their message bus

    @classmethod
    def of(cls, roadstead: Roadstead) -> Self:
        """As they run now."""
        supervisor = int((roadstead.state / "run/supervisor.lock").read_text())
        words = {pid: _argv(pid) for pid in children_of(supervisor)}
        return cls(
            supervisor,
            next(pid for pid, argv in words.items() if "roadstead.agent" in argv),
            next(pid for pid, argv in words.items() if "roadstead.api.server" in argv),
            tuple(_exports(roadstead.state)),
        )

    @property
    def ours(self) -> tuple[int, int, int]:
        return self.supervisor, self.agent, self.api


def _argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _exports(state: Path) -> Iterable[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            argv = _argv(int(entry.name))
            program = Path(argv[0]).name if argv else ""
            if program in ("ganesha.nfsd", "dbus-daemon") and str(state) in " ".join(argv):
                yield int(entry.name)
