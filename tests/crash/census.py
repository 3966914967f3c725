"""The world compared with the database, while nobody is at work.

What lies in files, mounts, loop devices and processes is looked up here directly, not through the
drivers' own eyes; what Ganesha serves, and to whom, is asked over D-Bus.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.agent.backends import make_backends
from roadstead.agent.chosen import complete
from roadstead.config.sections import Config
from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import loop
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model.access import canonical_target
from roadstead.model.errors import Transient
from roadstead.model.ids import image_name, pseudo_path
from roadstead.model.states import ACCESS_PENDING, OPERATION_LIVE, Status
from roadstead.model.verbs import VERBS
from roadstead.model.world import Place
from roadstead.roads.backend import Backend
from roadstead.store import tables as t
from roadstead.store.db import Database, Tx
from tests.crash.census_compute import ComputeCensus
from tests.crash.census_network import NetworkCensus
from tests.differences import differences

# Its recipe took everything back, or never began.
_NOTHING = frozenset(("error",))
# The recipe stopped half-way: not served any more, its bytes still there.
_BYTES_ONLY = frozenset(("error_deleting",))
_IN_MOTION = frozenset(
    v.via for v in VERBS.values() if v.resource_type == "share" and isinstance(v.via, Status)
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One share as the database has it."""

    share_id: str
    instance_id: str
    host: str
    status: str
    size_gib: int
    reserved_gib: int
    export_id: int
    share_server_id: str | None
    clients: dict[str, str]  # canonical target: level, of active rules
    paths: tuple[str, ...]


class Findings(msgspec.Struct, kw_only=True):
    """What is not as it should be, in words."""

    stuck: list[str] = []
    leaked: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.stuck or self.leaked)


class Census:
    """Looks at one service's world; changes nothing in it."""

    def __init__(self, config: Config) -> None:
        self._config = complete(config)
        self._db = Database(config.database_url)
        self._backends = make_backends(config)
        self._compute = ComputeCensus(config, self._db) if config.compute.hypervisor else None
        self._network = NetworkCensus(self._config, self._db) if config.network.driver else None

    @property
    def backend(self) -> Backend:
        """The one backend of the services made here."""
        (backend,) = self._backends.values()
        return backend

    def close(self) -> None:
        self._db.close()

    def live_operations(self) -> list[str]:
        """`verb state: error` of each operation that has not ended."""
        o = t.operations.c
        query = sa.select(o.verb, o.state, o.error).where(o.state.in_(OPERATION_LIVE))
        with self._db.read() as tx:
            return [f"{verb} is {state}: {error}" for verb, state, error in tx.execute(query)]

    def share(self, share_id: str) -> Known | None:
        """The share's row; None when it is gone."""
        return next((k for k in self.shares() if k.share_id == share_id), None)

    def shares(self) -> list[Known]:
        """Every share's row, with its rules and locations."""
        with self._db.read() as tx:
            return [_known(tx, row) for row in tx.execute(_SHARES).mappings()]

    def operations_of(self, *resource_ids: str) -> int:
        """How many operations these resources ever had."""
        query = sa.select(sa.func.count()).where(t.operations.c.resource_id.in_(resource_ids))
        with self._db.read() as tx:
            return int(tx.execute(query).scalar_one())

    def take(self, limits: Mapping[str, int]) -> Findings:
        """Every difference; `limits` is the API's answer about the one project there is."""
        shares = self.shares()
        leaked = list(_quota(shares, limits))
        for backend in self._backends.values():
            mine = [k for k in shares if k.host == backend.pool_name]
            leaked += self._pool(backend, mine)
            for server_id, place in self._places(backend).items():
                there = [k for k in mine if k.share_server_id == server_id]
                leaked += self._exports(backend, place, there)
        leaked += self._programs()
        stuck = [*self.live_operations(), *self._unfinished(shares)]
        if self._compute is not None:
            stuck += self._compute.stuck()
            leaked += self._compute.leaked()
        if self._network is not None:
            stuck += self._network.stuck()
            leaked += self._network.leaked()
        return Findings(stuck=stuck, leaked=leaked)

    def _unfinished(self, shares: Iterable[Known]) -> Iterator[str]:
        for known in shares:
            if known.status in _IN_MOTION:
                yield f"share {known.share_id} is {known.status}"
        query = sa.select(t.access_rules.c.id, t.access_rules.c.state)
        with self._db.read() as tx:
            for rule_id, state in tx.execute(query):
                if state in ACCESS_PENDING:
                    yield f"rule {rule_id} is {state}"

    # --- the pool -----------------------------------------------------------------------------

    def _pool(self, backend: Backend, shares: list[Known]) -> Iterator[str]:
        assert isinstance(backend.pool, ImagePool)
        layout = backend.pool.layout
        kept = [k for k in shares if k.status not in _NOTHING]
        whole = {k.instance_id for k in kept if k.status not in _BYTES_ONLY}
        half = {k.instance_id for k in kept if k.status in _BYTES_ONLY}
        images = {layout.share(k.instance_id): k.size_gib << 30 for k in kept}
        yield from differences("image", os.listdir(layout.images), [path.name for path in images])
        for path, size in images.items():
            if path.exists() and path.stat().st_size != size:
                yield f"image {path.name} has {path.stat().st_size} bytes, not {size}"
        yield from differences("trash", os.listdir(layout.trash), ())
        yield from differences("in the pool", os.listdir(layout.pool), ("img", "kept", "trash"))
        yield from differences("set aside", os.listdir(layout.kept), ())
        own = [p.name for p in (layout.backing, layout.pool, layout.mounts)]
        yield from differences(
            "beside the pool", os.listdir(layout.directory), own[1:], may=own[:1]
        )
        yield from differences("mount point", os.listdir(layout.mounts), whole, may=half)
        frame = [str(p) for p in (layout.directory, layout.pool, layout.mounts)]
        points = {str(layout.point(id_)) for id_ in whole}
        optional = [*frame, *(str(layout.point(id_)) for id_ in half)]
        state = self._config.state_directory
        own = [p for p in _mounts_below(state) if not f"{p}/".startswith(f"{state}/run/compute/")]
        yield from differences("mount", own, points, may=optional)
        files = [str(layout.share(id_)) for id_ in whole]
        optional = [str(layout.backing), *(str(layout.share(id_)) for id_ in half)]
        behind = [f for f in loop.in_use().values() if f.startswith(f"{state}/")]
        yield from differences("loop device", behind, files, may=optional)
        sources = {m.source for p in points for m in mounts.table().get(p, [])}
        if len(sources) != len(points):
            yield f"{len(points)} mounts have {len(sources)} devices"

    # --- the exports --------------------------------------------------------------------------

    def _places(self, backend: Backend) -> dict[str | None, Place]:
        """Where shares are exported, by the share server; None = by the backend itself."""
        if self._network is None:
            return {None: backend.place}
        return {place.id: place for place in self._network.places()}

    def _exports(self, backend: Backend, place: Place, shares: list[Known]) -> Iterator[str]:
        served = {k.instance_id: k for k in shares if k.status not in _NOTHING | _BYTES_ONLY}
        options = self._config.backends[backend.name].export_options
        directory = Path(options["state_directory"], place.id, "exports.d")
        files = os.listdir(directory) if directory.exists() else []
        wanted = [f"{k.export_id}.conf" for k in served.values()]
        yield from differences("export file", files, wanted)
        try:
            marks = list(backend.export.inventory(place))
        except Transient as error:  # it is just being started again
            yield f"exports of {place.id}: {error}"
            return
        yield from differences("export", [m.id for m in marks], served)
        for mark in marks:
            if mark.broken is not None:
                yield f"export {mark.id}: {mark.broken}"
            known = served.get(mark.id)
            if known is not None:
                yield from _export(known, mark.facts)
        for known in shares:
            paths = len(place.addresses) if known.instance_id in served else 0
            mine = [p for p in known.paths if p.endswith(f":{pseudo_path(known.instance_id)}")]
            if known.status not in _BYTES_ONLY and not len(known.paths) == len(mine) == paths:
                yield f"share {known.share_id} has locations {known.paths}"

    def _programs(self) -> Iterator[str]:
        programs = Counter(_programs_of(self._config.state_directory))
        wanted = {"ganesha.nfsd": 1, "dbus-daemon": 1}
        if self._network is not None:
            wanted["ganesha.nfsd"] = len(self._network.places())
            # It comes with the first share server, and stays.
            wanted["dbus-daemon"] = min(programs["dbus-daemon"], 1)
        for name, number in wanted.items():
            if programs[name] != number:
                yield f"{programs[name]} processes {name}, not {number}"


def _export(known: Known, facts: Mapping[str, object]) -> Iterator[str]:
    if facts["export_id"] != known.export_id:
        yield f"export {known.instance_id} has number {facts['export_id']}, not {known.export_id}"
    clients = facts["clients"]
    assert isinstance(clients, dict)
    found = {canonical_target("ip", to): level for to, level in clients.items()}
    if found != known.clients:
        yield f"export {known.instance_id} admits {found}, not {known.clients}"


def _quota(shares: Iterable[Known], limits: Mapping[str, int]) -> Iterator[str]:
    shares = list(shares)
    wanted = {
        "totalSharesUsed": len(shares),
        "totalShareGigabytesUsed": sum(k.size_gib for k in shares),
    }
    for name, number in wanted.items():
        if limits[name] != number:
            yield f"quota: {name} is {limits[name]}, not {number}"
    for known in shares:
        if known.reserved_gib != known.size_gib:
            yield f"share {known.share_id} of {known.size_gib} GiB reserves {known.reserved_gib}"


def _mounts_below(directory: str) -> list[str]:
    table = mounts.table()
    return [m.point for group in table.values() for m in group if f"{directory}/" in m.point]


def _programs_of(directory: str) -> Iterator[str]:
    """Names of the programs with a file of the directory in their command line."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if any(f"{directory}/" in word for word in words):
            yield os.path.basename(words[0])


_SHARES = sa.select(
    t.shares.c.id, t.shares.c.instance_id, t.shares.c.size_gib, t.shares.c.reserved_gib,
    t.share_instances.c.host, t.share_instances.c.status, t.share_instances.c.export_id,
    t.share_instances.c.share_server_id,
).join_from(t.shares, t.share_instances)  # fmt: skip


_FIELDS = "instance_id host status size_gib reserved_gib export_id share_server_id"


def _known(tx: Tx, row: Mapping[Any, Any]) -> Known:
    r, location = t.access_rules.c, t.export_locations.c
    rules = sa.select(r.target, r.access_level).where(r.share_id == row["id"], r.state == "active")
    paths = sa.select(location.path).where(location.instance_id == row["instance_id"])
    return Known(
        share_id=row["id"],
        **{k: row[k] for k in _FIELDS.split()},
        clients={rule.target: rule.access_level for rule in tx.execute(rules)},
        paths=tuple(tx.execute(paths).scalars()),
    )


def image_of(known: Known, backend: Backend) -> Path:
    """The file that holds the share's bytes."""
    assert isinstance(backend.pool, ImagePool)
    return backend.pool.layout.images / image_name(known.instance_id)
