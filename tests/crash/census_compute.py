"""Attachments compared with what a compute host has for them: views, mounts, processes, devices,
rules. All of it is looked up directly, not through the drivers' own eyes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from roadstead.config.sections import Config
from roadstead.drivers.host import mounts
from roadstead.drivers.host.nfs.fuse_process import PROGRAM
from roadstead.drivers.hypervisor import marks
from roadstead.drivers.hypervisor.libvirt.connection import Connection
from roadstead.store import tables as t
from roadstead.store import tables_attachments as ta
from roadstead.store.db import Database
from tests.differences import differences

_ALIAS = re.compile(r"alias name='(ua-rs-[a-z2-7]+)'")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IN_MOTION = ("attaching", "detaching")


class ComputeCensus:
    """Looks at one compute host; changes nothing."""

    def __init__(self, config: Config, db: Database) -> None:
        section = config.compute
        self._db = db
        self._address = section.storage_address
        self._directory = Path(section.mounts or f"{config.run_directory}/compute")
        self._scripts = Path(config.state_directory, "hypervisor/daemons")
        self._uri = str(section.hypervisor_options.get("uri", ""))

    @property
    def directory(self) -> str:
        """Below it are the mounts of shares for VMs."""
        return str(self._directory)

    def stuck(self) -> Iterator[str]:
        """Attachments that are on their way, while nobody is at work."""
        for row in self._rows():
            if row["state"] in _IN_MOTION:
                yield f"attachment {row['id']} is {row['state']}"

    def leaked(self) -> Iterator[str]:
        """What is there without a row that needs it, and what a row needs and is not there."""
        rows = [row for row in self._rows() if not row["unplugged"]]
        places = {row["id"]: f"{row['instance_id']}/{row['access_level']}" for row in rows}
        views = {f"{place}/attachments/{id_}" for id_, place in places.items()}
        shares = {f"{place}/mount" for place in places.values()}
        yield from differences("mount for VMs", self._mounted(), views | shares)
        yield from differences("directory for VMs", self._directories(), views | shares)
        ids = {row["id"] for row in rows}
        yield from differences("script", _names(self._scripts), (), may=ids)
        if self._uri:
            yield from self._devices(ids)
        served = {row["id"] for row in rows if row["state"] == "active"}
        daemons = self._processes("virtiofsd", "attachments")
        yield from differences("virtiofsd", daemons, served, may=ids)
        yield from differences("NFS mount process", self._processes(PROGRAM, "mount"), shares)
        yield from self._rules({row["share_id"] for row in rows})

    def _rows(self) -> list[dict[str, Any]]:
        query = sa.select(ta.attachments, t.shares.c.instance_id).join_from(
            ta.attachments, t.shares, ta.attachments.c.share_id == t.shares.c.id
        )
        with self._db.read() as tx:
            return [dict(row) for row in tx.execute(query).mappings()]

    def _mounted(self) -> list[str]:
        points = [m.point for group in mounts.table().values() for m in group]
        prefix = f"{self._directory}/"
        return [point.removeprefix(prefix) for point in points if point.startswith(prefix)]

    def _directories(self) -> Iterator[str]:
        for level in self._directory.glob("*-*/r[wo]"):
            name = str(level.relative_to(self._directory))
            yield from (f"{name}/mount" for _ in ["mount"] if "mount" in _names(level))
            yield from (f"{name}/attachments/{id_}" for id_ in _names(level / "attachments"))

    def _devices(self, wanted: set[str]) -> Iterator[str]:
        found: set[str] = set()
        with Connection(self._uri).using() as connection:
            for domain in connection.listAllDomains():
                for text in (domain.XMLDesc(0), domain.XMLDesc(2)):  # as it runs, as it will start
                    found |= {str(marks.attachment_of(a)) for a in _ALIAS.findall(text)}
        yield from differences("device", found, wanted)

    def _processes(self, program: str, kind: str) -> set[str]:
        """The share's mount, or the attachment, that each running program serves."""
        found: set[str] = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            match = re.search(rf"{re.escape(str(self._directory))}/([^\0,]*{kind}[^\0,]*)", line)
            if match and program in line:
                found.add(match[1] if kind == "mount" else _UUID.findall(match[1])[-1])
        return found

    def _rules(self, shares: set[str]) -> Iterator[str]:
        """Each share that a VM has admits this host, by one rule; no other share does."""
        rule, grant = t.access_rules.c, ta.grants.c
        with self._db.read() as tx:
            granted = list(tx.execute(sa.select(grant.share_id, grant.access_rule_id)))
            query = sa.select(rule.id, rule.share_id).where(rule.access_to == self._address)
            rules = list(tx.execute(query))
        yield from differences("grant for share", [share for share, _ in granted], shares)
        yield from differences("rule", [id_ for id_, _ in rules], [id_ for _, id_ in granted])


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
