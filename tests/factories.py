"""A whole service in one process: memory drivers, the inline engine, a real database."""

import base64
import datetime
import functools
import os
import uuid
from pathlib import Path
from typing import Any

import msgspec

from roadstead.drivers.export.memory import MemoryExport
from roadstead.drivers.pool.memory import MemoryPool
from roadstead.engine.inline import InlineEngine
from roadstead.model.shares import Share
from roadstead.model.world import Place
from roadstead.ops.ensure import Ensure
from roadstead.ops.report import report
from roadstead.ops.runner import Runner
from roadstead.ops.sweeps.shares import ShareSweep
from roadstead.roads.backend import Backend
from roadstead.service import shares
from roadstead.service.context import Caller, Service
from roadstead.service.new_share import NewShare
from roadstead.service.placement import create
from roadstead.store import share_types
from roadstead.store.db import Database
from roadstead.store.migrate import upgrade
from roadstead.store.secrets import SecretBox

HOST = "node1"
DEFAULT_SPECS = {
    "driver_handles_share_servers": "False",
    "snapshot_support": "True",
    "create_share_from_snapshot_support": "True",
    "revert_to_snapshot_support": "True",
}


def make_backend(name: str = "local", **options: Any) -> Backend:
    """A backend in memory."""
    return Backend(
        name=name,
        pool_name=f"{HOST}@{name}#memory",
        pool=MemoryPool(
            MemoryPool.Options(total_gib=options.pop("total_gib", 10_000)), name="memory"
        ),
        export=MemoryExport(MemoryExport.Options(gateway=options.pop("gateway", None))),
        place=Place(id=f"host-{name}", addresses=("192.0.2.1",)),
        **options,
    )


class World(msgspec.Struct, kw_only=True):
    """Service, agent parts and drivers, all reachable for a test."""

    service: Service
    db: Database
    engine: InlineEngine
    runner: Runner
    backends: dict[str, Backend]
    sweep: ShareSweep
    retries: list[tuple[str, float]]

    @property
    def backend(self) -> Backend:
        return next(iter(self.backends.values()))

    @property
    def pool(self) -> MemoryPool:
        pool = self.backend.pool
        assert isinstance(pool, MemoryPool)
        return pool

    @property
    def export(self) -> MemoryExport:
        export = self.backend.export
        assert isinstance(export, MemoryExport)
        return export

    def close(self) -> None:
        self.db.close()


def make_world(url: str, *, backends: list[Backend] | None = None, **settings: Any) -> World:
    """A world on the database at `url` (made if need be), its pools reported, a default type."""
    upgrade(url)
    db = Database(url)
    by_name = {b.pool_name: b for b in backends or [make_backend()]}
    engine = InlineEngine()
    retries: list[tuple[str, float]] = []
    keep = {k: settings[k] for k in ("keep_messages",) if k in settings}
    runner = Runner(
        db,
        HOST,
        by_name,
        retry=lambda operation_id, seconds: retries.append((operation_id, seconds)),
        give_up_after=settings.pop("give_up_after", datetime.timedelta(seconds=60)),
        **keep,
    )
    for backend in by_name.values():
        backend.pool.ensure_pool()
        for view in backend.views({}).values():
            view.export.ensure_server(view.place)
    with db.write() as tx:
        share_types.ensure_default(tx, "default", DEFAULT_SPECS)
    report(db, HOST, by_name.values())
    settings.setdefault("secrets", _secrets())
    sweep = ShareSweep(db, HOST, by_name, runner, engine.adopt, grace=datetime.timedelta(0))
    engine.start(runner.run, Ensure(db, HOST, sweep.run).if_asked)
    return World(
        service=Service(db=db, engine=engine, **settings),
        db=db,
        engine=engine,
        runner=runner,
        backends=by_name,
        sweep=sweep,
        retries=retries,
    )


@functools.cache
def _secrets() -> SecretBox:
    """A box whose keys are in no file that could be left behind."""
    fd = os.memfd_create("secrets.keys")
    os.write(fd, base64.urlsafe_b64encode(os.urandom(32)))
    return SecretBox(Path(f"/proc/{os.getpid()}/fd/{fd}"))


def make_caller(project: str | None = None, *, admin: bool = False, **more: Any) -> Caller:
    """Somebody who may do everything in `project` (everywhere for an administrator)."""
    rules = ("share:force_extend", "share:create_public_share", "share:set_public_share")
    return Caller(
        user_id=more.pop("user_id", uuid.uuid4().hex),
        project_id=project or uuid.uuid4().hex,
        roles=("admin", "member", "reader") if admin else ("member", "reader"),
        request_id=f"req-{uuid.uuid4()}",
        is_admin=admin,
        can=(lambda _rule: True) if admin else (lambda rule: rule not in rules),
        **more,
    )


def make_share(world: World, caller: Caller, **values: Any) -> Share:
    """A share as `create` leaves it once its operation has run."""
    wanted = {"proto": "NFS", "size_gib": 1, **values}
    made = create(world.service, caller, NewShare(**wanted))
    return shares.get(world.service, caller, made.id)
