"""Share servers compared with what a host has for them: devices, namespaces, rules, processes,
files, addresses. All of it is looked up directly, not through the drivers' own eyes."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.config.sections import Config
from roadstead.drivers.network.marks import Marks
from roadstead.drivers.network.segments.places import owner_of
from roadstead.model.ids import place_netns, place_of_netns
from roadstead.model.world import Place
from roadstead.store import tables as t
from roadstead.store import tables_networks as tn
from roadstead.store.db import Database
from tests.differences import differences
from tests.lab.links import address_texts, links
from tests.lab.netns import NETNS_DIRECTORY

# As the driver names its devices; the name of its tables of rules has a "_".
_DEVICE = re.compile(r"\brs[a-z]{1,3}[0-9a-f]{10}\b")
_IN_MOTION = ("creating", "deleting", "network_change")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One share server as the database has it."""

    id: str
    status: str
    last_verb: str  # of its newest operation
    subnets: frozenset[str]
    leases: tuple[Any, ...]  # rows

    @property
    def stands(self) -> bool:
        """All of it must be there: also when it could only not be changed."""
        return self.status == "active" or (
            self.status == "error" and self.last_verb == "share_server.update"
        )

    @property
    def may_stand(self) -> bool:
        """It could not be removed; what is left is its own until that is tried again."""
        return self.status == "error" and self.last_verb == "share_server.delete"

    @property
    def place(self) -> Place:
        addresses = tuple(lease["address"] for lease in self.leases)
        return Place(id=self.id, netns=place_netns(self.id), addresses=addresses)


class NetworkCensus:
    """Looks at one host of share servers; changes nothing."""

    def __init__(self, config: Config, db: Database) -> None:
        self._db = db
        self._marks = Marks(config.network.options["owner"])
        self._netns = str(config.network.options["netns"])
        self._state = config.state_directory
        (section,) = config.backends.values()
        self._exports = Path(section.export_options["state_directory"])
        self._run = Path(section.export_options["run_directory"])

    def stuck(self) -> Iterator[str]:
        """Servers and networks on their way, while nobody is at work."""
        for kind, table in (("server", tn.share_servers), ("network", tn.share_networks)):
            for row in self._rows(sa.select(table.c.id, table.c.status)):
                if row["status"] in _IN_MOTION:
                    yield f"share {kind} {row['id']} is {row['status']}"

    def places(self) -> list[Place]:
        """Where export servers must be."""
        return [server.place for server in self._servers() if server.stands]

    def leaked(self) -> Iterator[str]:
        """What is there without a row that needs it, and what a row needs and is not there."""
        servers = self._servers()
        whole = [server for server in servers if server.stands]
        half = [server for server in servers if server.may_stand]
        found = {link["ifname"] for link in links(self._netns)}
        ours = {name for name in found if _DEVICE.fullmatch(name)}
        wanted, may = self._devices(whole), self._devices(half)
        yield from differences("device", ours, wanted, may=may)
        yield from differences("device in rules", self._in_rules(), wanted, may=may)
        ids, rest = {server.id for server in whole}, {server.id for server in half}
        yield from differences("namespace", self._namespaces(), ids, may=rest)
        for server in whole:
            yield from self._inside(server)
        yield from differences("NFS server", self._running(), ids, may=rest)
        yield from differences("directory", _names(self._exports), ids, may=rest)
        pid_files = [n.removesuffix(".pid") for n in _names(self._run) if n.endswith(".pid")]
        yield from differences("pid file", pid_files, ids, may=rest)
        yield from self._addresses(servers)
        yield from self._numbers()

    def _servers(self) -> list[Server]:
        leases = self._rows(tn.address_leases.select().order_by(tn.address_leases.c.id))
        ties = self._rows(tn.share_server_subnets.select())
        o = t.operations.c
        newest = sa.select(o.resource_id, o.verb).order_by(o.created_at)
        verbs = {row["resource_id"]: row["verb"] for row in self._rows(newest)}
        return [
            Server(
                id=row["id"],
                status=row["status"],
                last_verb=verbs.get(row["id"], ""),
                subnets=frozenset(
                    tie["subnet_id"] for tie in ties if tie["share_server_id"] == row["id"]
                ),
                leases=tuple(one for one in leases if one["share_server_id"] == row["id"]),
            )
            for row in self._rows(tn.share_servers.select())
        ]

    def _devices(self, servers: Iterable[Server]) -> set[str]:
        """A port, a bridge and an uplink for each address."""
        leases = [lease for server in servers for lease in server.leases]
        ports = {self._marks.port(lease["id"]) for lease in leases}
        wires = {lease["wire"] for lease in leases}
        return ports | {f(w) for w in wires for f in (self._marks.bridge, self._marks.uplink)}

    def _in_rules(self) -> set[str]:
        nft = ["nsenter", f"--net=/run/netns/{self._netns}", "nft", "list", "ruleset"]
        text = subprocess.run(nft, check=True, capture_output=True, text=True).stdout
        found = set(_DEVICE.findall(text))
        return found or ({"(an empty table)"} if text.strip() else set())

    def _namespaces(self) -> set[str]:
        return {
            str(place_of_netns(path.name))
            for path in NETNS_DIRECTORY.glob(place_netns("*"))
            if self._is_mine(path)
        }

    def _is_mine(self, path: Path) -> bool:
        """Its mark is of this stage's agent: others use this machine, too."""
        mark = owner_of(path.name)
        if mark is None:  # only a file, which a killed agent left
            try:
                mark = path.read_text()
            except OSError:
                return False
        return self._marks.read(mark) is not None

    def _inside(self, server: Server) -> Iterator[str]:
        netns = place_netns(server.id)
        wanted = {
            self._marks.interface(lease["id"]): f"{lease['address']}/{lease['prefix_length']}"
            for lease in server.leases
        }
        names = {link["ifname"] for link in links(netns)} - {"lo"}
        yield from differences(f"in {netns}: device", names, wanted)
        for name in names & wanted.keys():
            found = address_texts(netns, name)
            yield from differences(f"in {netns}: address", found, {wanted[name]})

    def _running(self) -> list[str]:
        """The place of each running NFS server; twice when it has two."""
        found: list[str] = []
        pattern = re.compile(rf"{re.escape(str(self._exports))}/([^/\0]+)/ganesha\.conf")
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            found += pattern.findall(line)
        return found

    def _addresses(self, servers: Iterable[Server]) -> Iterator[str]:
        for server in servers:
            leased = [lease["subnet_id"] for lease in server.leases]
            yield from differences("address on subnet", leased, server.subnets)

    def _numbers(self) -> Iterator[str]:
        """Each number that a project has is some subnet's, or some address' wire."""
        names = {row["neutron_net_id"] for row in self._rows(tn.subnets.select())}
        wires = {row["wire"] for row in self._rows(tn.address_leases.select())}
        for row in self._rows(tn.segment_numbers.select()):
            wire = f"{row['kind']}-{row['number']}"
            if row["name"] not in names and wire not in wires:
                yield f"number {wire} is nobody's"

    def _rows(self, query: sa.Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
        with self._db.read() as tx:
            return [dict(row) for row in tx.execute(query).mappings()]


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
