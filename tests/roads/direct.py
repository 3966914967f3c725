"""A live service on a flat segment, and clients of it: what the direct road's tests share."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.model.errors import RoadsteadError
from roadstead.model.ids import bus_prefix
from tests.lab import nfs4
from tests.lab.nfs_client import NfsClient
from tests.live.api import Api
from tests.live.service import Roadstead
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.lab.fixtures import GuestFactory, SegmentFactory
    from tests.lab.guest import Guest
    from tests.lab.segment import ClientNs, Segment

ALICE, BOB = 10, 11  # the guests' host numbers
CAROL, DAVE = 68, 200  # those of cheap clients
BACKEND = "local"
LEVELS = {"NOENT": "none", "ACCESS": "none", "ROFS": "ro"}  # by what making a file met


@dataclass(frozen=True)
class Shared:
    """A share: its id in the API, and what clients know it by."""

    id: str
    pseudo: str  # the path after host:
    instance: str


class Direct(Temporary):
    """A service between enter and exit, with guests whose addresses are `hosts`."""

    def __init__(
        self,
        segments: SegmentFactory,
        guests: GuestFactory,
        hosts: Sequence[int] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.segment: Segment = segments()
        self.service = Roadstead(self.segment, settings=settings)
        self._guests = guests
        self._hosts = hosts

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.enter_context(self.service)
        self.api: Api = self.service.api()
        self.admin: Api = self.service.api("roadstead-admin")
        self.guests: list[Guest] = [
            self._guests([self.segment.nic(host)], modules=["nfsv4"]) for host in self._hosts
        ]

    # --- shares -------------------------------------------------------------------------------

    def share(self, *admitted: str, level: str = "rw", **fields: Any) -> Shared:
        """A new share of the demo project that admits these addresses."""
        made = self.api.create_share(fields.pop("size", 1), **fields)
        shared = self.seen(made["id"])
        for address in admitted:
            self.api.allow(shared.id, address, level)
        return shared

    def seen(self, share_id: str) -> Shared:
        """The share as the API tells of it."""
        pseudo = self.api.paths(share_id)[0].rpartition(":")[2]
        return Shared(share_id, pseudo, pseudo.removeprefix("/share-"))

    def user(self, name: str, project: str) -> Api:
        """A new member of this project."""
        state = str(self.service.state)
        done = self.service.run(
            "roadstead", "users", "add", name, "--project", project, "--state", state
        )
        password = password_of(done.stdout)
        return Api(self.service.url, name, password)

    # --- clients ------------------------------------------------------------------------------

    def raw(self, client: ClientNs, *, six: bool = False) -> nfs4.Client:
        """A session of a raw client with the export server."""
        server = self.segment.server6 if six else self.segment.server
        return nfs4.Client(server, netns=client.netns)

    def level(self, client: ClientNs, share: Shared, *, six: bool = False) -> str:
        """What the client really gets: rw, ro or none. Found by making a file."""
        with self.raw(client, six=six) as session:
            return level_of(session, share)

    def mount(self, guest: Guest, share: Shared, at: str = "/mnt/share", **how: Any) -> NfsClient:
        """The guest has the share mounted."""
        client = NfsClient(guest)
        mounted = client.mount(self.segment.server, share.pseudo, at, **how)
        assert mounted.ok, mounted.output
        return client

    # --- what a vandal would reach for ----------------------------------------------------------

    def bus(self) -> GaneshaBus:
        """The export server's own D-Bus, behind Roadstead's back."""
        socket = self.service.state / f"run/exports/{BACKEND}/bus.sock"
        return GaneshaBus(socket, bus_prefix(f"host-{BACKEND}"))

    def server_pid(self) -> int:
        """The export server's process that answers; 0 while none does."""
        with contextlib.closing(self.bus()) as bus, contextlib.suppress(RoadsteadError):
            bus.show_exports()
            return bus.pid()
        return 0

    def export_id(self, share: Shared) -> int:
        """The number by which the export server knows the share."""
        with contextlib.closing(self.bus()) as bus:
            return next(n for n, path in bus.show_exports().items() if path == share.pseudo)

    def files(self, share: Shared) -> tuple[Path, Path]:
        """Where the share is mounted, and its image."""
        pool = self.service.state / f"pools/{BACKEND}"
        (image,) = (f for f in pool.rglob(f"*{share.instance}*") if f.is_file())
        return pool / "mnt" / share.instance, image

    def database(self) -> sqlite3.Connection:
        """The service's database, for a look or a change behind its back."""
        return sqlite3.connect(self.service.state / "db/roadstead.sqlite", timeout=20)


class Writer:
    """A program in the guest that has a file open and appends line after line to it, each on the
    server's disk before the next. The share is mounted there with option sync."""

    def __init__(self, guest: Guest, directory: str) -> None:
        self._guest, self._file = guest, f"{directory}/log"
        self._job = guest.start(
            f"rm -f /tmp/stop /tmp/lines; exec 3> {self._file} || exit 2; n=0\n"
            "while [ ! -e /tmp/stop ]; do\n"
            "  n=$((n + 1)); echo $n >&3 || exit 1; echo $n > /tmp/lines\n"
            "done"
        )
        self.wait_lines(1)

    @property
    def lines(self) -> int:
        """How many it has written."""
        return int(self._guest.sh("cat /tmp/lines 2> /dev/null || echo 0").output or 0)

    def wait_lines(self, more: int) -> None:
        """It has written so many more. AssertionError when it met an error."""
        target = self.lines + more
        until(lambda: self._goes_on() and self.lines >= target, "a line was written")

    def finish(self) -> int:
        """It has ended without an error and the file is complete: how many lines."""
        self._guest.sh("touch /tmp/stop")
        result = self._guest.result(self._job)
        assert result.rc == 0, result.output
        lines = self.lines
        found = self._guest.sh(f"wc -l < {self._file}; tail -n 1 {self._file}").output.split()
        assert found == [str(lines)] * 2
        return lines

    def _goes_on(self) -> bool:
        if self._job.outcome.done():
            raise AssertionError(f"the writer met an error: {self._job.outcome.result()}")
        return True


def level_of(session: nfs4.Client, share: Shared) -> str:
    """rw, ro or none, for this session. A server that was just started may ask to come again."""
    return until(lambda: _level(session, share), "its grace period ends")


def _level(session: nfs4.Client, share: Shared) -> str | None:
    """The level; None in the server's grace period."""
    try:
        root = session.lookup(share.pseudo)
        session.close_file(session.open(root, ".probe", write=True, create=True))
    except nfs4.NfsError as refused:
        if refused.status_name == "GRACE":
            return None
        if refused.status_name not in LEVELS:
            raise
        return LEVELS[refused.status_name]
    session.remove(root, ".probe")
    return "rw"


def password_of(printed: str) -> str:
    words = printed.replace(",", " ").split()
    return words[words.index("password") + 1]
