"""What a sweep does not know may be somebody's: bytes and exports go only when nobody's row names
them, and bytes by way of the trash (X-9)."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from roadstead.drivers.export.memory import MemoryExport
from roadstead.drivers.pool.memory import MemoryPool
from roadstead.model.errors import InUse
from roadstead.model.ids import new_id
from roadstead.model.world import ExportRef, ExportSpec, Mark, Place, ShareSpec
from roadstead.ops.sweeps.shares import ShareSweep
from roadstead.roads.backend import Backend
from roadstead.roads.gateway.road import Gateway
from roadstead.service import access, shares
from roadstead.service.access import NewRule
from roadstead.store import drift, ownership
from roadstead.store import shares as store
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone
from tests.factories import HOST, World, make_caller, make_share

DAY = datetime.timedelta(days=1)
NO_GRACE = datetime.timedelta(0)


class Clock:
    """What the time is for a sweep."""

    def __init__(self) -> None:
        self.ahead = datetime.timedelta(0)

    def __call__(self) -> datetime.datetime:
        return utcnow() + self.ahead


def renamed(world: World, pool_name: str) -> Backend:
    """The same pool and export server, as a backend of that host@backend#pool."""
    backend = world.backend
    name = pool_name.partition("@")[2].partition("#")[0]
    return Backend(
        name=name,
        pool_name=pool_name,
        pool=backend.pool,
        export=backend.export,
        place=backend.place,
    )


def sweep_as(world: World, *backends: Backend, host: str = HOST, **given: Any) -> ShareSweep:
    """The sweep of an agent that has just started, with these backends."""
    by_name = {b.pool_name: b for b in backends or [world.backend]}
    given = {"grace": NO_GRACE, **given}
    return ShareSweep(world.db, host, by_name, world.runner, world.engine.adopt, **given)


def told(world: World) -> set[tuple[str, str]]:
    with world.db.read() as tx:
        return {(d["kind"], d["resource_type"]) for d in drift.find_all(tx)}


def in_pool(world: World) -> dict[str, str]:
    return {mark.id: mark.kind for mark in world.pool.inventory()}


def exported(world: World) -> list[str]:
    return [mark.id for mark in world.export.inventory(world.backend.place)]


def forget(world: World, share_id: str) -> None:
    """As when the database is an older one: only the journal knows that there was such a share."""
    with world.db.write() as tx:
        found = store.get(tx, everyone(), share_id)
        assert found is not None
        store.delete(tx, found)


@pytest.mark.parametrize(
    ("host", "pool"),
    [
        ("b", "b@local#memory"),  # the machine's name changed
        (HOST, f"{HOST}@other#memory"),  # the backend's
        (HOST, f"{HOST}@local#image"),  # the pool driver's
    ],
    ids=["host", "backend", "pool"],
)
def test_a_changed_name_costs_no_byte_and_no_export(world, host, pool):
    share = make_share(world, make_caller())
    sweep = sweep_as(world, renamed(world, pool), host=host)
    for _ in range(3):
        sweep.run()
    assert in_pool(world) == {share.instance_id: "share"}
    assert exported(world) == [share.instance_id]
    assert told(world) == {("misplaced", "share"), ("misplaced", "export")}


def test_what_is_anothers_is_told_once_and_whose_it_is(world):
    make_share(world, make_caller())
    sweep = sweep_as(world, renamed(world, "b@local#memory"), host="b")
    for _ in range(2):
        sweep.run()
    with world.db.read() as tx:
        found = [d for d in drift.find_all(tx) if d["resource_type"] == "share"]
    assert [d["detail"] for d in found] == [f"it belongs to {world.backend.pool_name}"]
    assert [d["action"] for d in found] == ["left alone"]
    assert [d["repaired_at"] for d in found] == [None]


def test_two_backends_over_one_tree_leave_each_others_alone(world):
    mine = make_share(world, make_caller())
    theirs = make_share(world, make_caller())
    twin = renamed(world, f"{HOST}@twin#memory")
    with world.db.write() as tx:
        store.set_instance(tx, theirs, host=twin.pool_name)
    sweep = sweep_as(world, world.backend, twin)
    for _ in range(2):
        sweep.run()
    assert in_pool(world) == {mine.instance_id: "share", theirs.instance_id: "share"}
    assert set(exported(world)) == {mine.instance_id, theirs.instance_id}


def test_a_leak_goes_into_the_trash_and_days_later_for_good(world):
    share, clock = make_share(world, make_caller()), Clock()
    forget(world, share.id)
    sweep = sweep_as(world, clock=clock, keep=7 * DAY)
    sweep.run()
    assert in_pool(world) == {share.instance_id: "trash"}
    assert exported(world) == []
    clock.ahead = 6.9 * DAY
    sweep_as(world, clock=clock, keep=7 * DAY).run()  # of an agent that was started anew
    assert in_pool(world) == {share.instance_id: "trash"}
    clock.ahead = 7.1 * DAY
    sweep_as(world, clock=clock, keep=7 * DAY).run()
    assert in_pool(world) == {}
    with world.db.read() as tx:
        said = {d["action"]: d["detail"] for d in drift.find_all(tx) if d["kind"] == "leaked"}
    assert "removed for good" in said
    (until,) = [action for action in said if action.startswith("in the trash until ")]
    assert f"{7 * DAY + utcnow():%F}" in until
    assert f"kept-{share.instance_id}" in said[until]  # where it is


def test_a_share_whose_row_is_back_has_its_bytes_back(world):
    caller = make_caller()
    share, clock = make_share(world, caller), Clock()
    access.allow(world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1"))
    world.pool.ensure_share_aside(share.instance_id)
    world.export.ensure_export_absent(_ref(world, share))
    clock.ahead = 100 * DAY  # what a row names is not purged either
    sweep_as(world, clock=clock).run()
    assert in_pool(world) == {share.instance_id: "share"}
    (mark,) = world.export.inventory(world.backend.place)
    assert mark.facts["clients"] == {"10.0.0.1/32": "rw"}
    assert shares.get(world.service, caller, share.id).status == "available"
    assert ("missing", "share") in told(world)


def test_trash_that_anothers_row_names_is_kept(world):
    share, clock = make_share(world, make_caller()), Clock()
    world.pool.ensure_share_aside(share.instance_id)
    clock.ahead = 100 * DAY
    sweep_as(world, renamed(world, "b@local#memory"), host="b", clock=clock).run()
    assert in_pool(world) == {share.instance_id: "trash"}


def test_trash_that_another_database_knows_nothing_of_is_kept(world):
    world.pool.ensure_share(ShareSpec(instance_id=(stranger := new_id()), size_bytes=1 << 30))
    world.pool.ensure_share_aside(stranger)
    clock = Clock()
    clock.ahead = 100 * DAY
    sweep_as(world, clock=clock).run()
    assert in_pool(world) == {stranger: "trash"}
    assert told(world) == {("foreign", "trash")}


def test_nothing_unknown_goes_at_once_when_the_agent_starts(world):
    share, clock = make_share(world, make_caller()), Clock()
    forget(world, share.id)
    twin = Backend(  # a second backend does not make the first one's strangers be forgotten
        name="twin",
        pool_name=f"{HOST}@twin#memory",
        pool=MemoryPool(MemoryPool.Options(), name="twin"),
        export=MemoryExport(MemoryExport.Options()),
        place=Place(id="host-twin", addresses=("192.0.2.2",)),
    )
    sweep = sweep_as(world, world.backend, twin, clock=clock, grace=datetime.timedelta(seconds=60))
    sweep.run()
    clock.ahead = datetime.timedelta(seconds=59)
    sweep.run()
    assert in_pool(world) == {share.instance_id: "share"}
    assert exported(world) == [share.instance_id]
    clock.ahead = datetime.timedelta(seconds=61)
    sweep.run()
    assert in_pool(world) == {share.instance_id: "trash"}
    assert exported(world) == []


def test_one_that_comes_and_goes_is_waited_for_anew(world):
    share, clock = make_share(world, make_caller()), Clock()
    forget(world, share.id)
    sweep = sweep_as(world, clock=clock, grace=datetime.timedelta(seconds=60))
    sweep.run()
    world.pool.ensure_share_aside(share.instance_id)
    clock.ahead = datetime.timedelta(seconds=61)
    sweep.run()
    world.pool.ensure_share(_spec(share))
    sweep.run()
    assert in_pool(world) == {share.instance_id: "share"}


def test_with_another_database_exports_stay_too(world):
    """As bytes do: the journal never heard of them."""
    stranger = new_id()
    spec = ExportSpec(
        instance_id=stranger, export_id=9, path="/", proto="NFS", place=world.backend.place
    )
    world.export.ensure_export(spec)
    for _ in range(2):
        world.sweep.run()
    assert exported(world) == [stranger]
    assert told(world) == {("foreign", "export")}


def test_an_export_that_an_operation_left_behind_is_withdrawn(world):
    share = make_share(world, make_caller())
    forget(world, share.id)
    world.pool.ensure_share_absent(share.instance_id)
    world.sweep.run()
    assert exported(world) == []
    assert told(world) == {("leaked", "export")}


def test_one_that_cannot_go_keeps_no_other_from_it(world):
    shares_ = [make_share(world, make_caller()) for _ in range(2)]
    for share in shares_:
        forget(world, share.id)
    stuck, free = sorted(share.instance_id for share in shares_)
    real = world.pool.ensure_share_aside

    def ensure_share_aside(instance_id: str):
        if instance_id == stuck:
            raise InUse("open")
        return real(instance_id)

    world.pool.ensure_share_aside = ensure_share_aside
    world.sweep.run()
    assert in_pool(world) == {stuck: "share", free: "trash"}


class Tree(MemoryPool):
    """On a filer that exports these instances to gateways."""

    def __init__(self) -> None:
        super().__init__(self.Options(), name="tree")
        self.on_filer: list[str] = []

    def exported(self) -> Iterator[Mark]:
        yield from [Mark(kind="export", id=id_) for id_ in self.on_filer]

    def ensure_unexported(self, instance_id: str) -> None:
        self.on_filer.remove(instance_id)


def test_a_filer_goes_on_exporting_what_somebodys_row_names(world):
    share, nobodys, pool = make_share(world, make_caller()), new_id(), Tree()
    pool.on_filer = [share.instance_id, nobodys]
    nas = Backend(
        name="nas",
        pool_name=f"{HOST}@nas#tree",
        pool=pool,
        export=MemoryExport(MemoryExport.Options(gateway="l4")),
        place=Place(id="host-nas", addresses=("192.0.2.3",)),
        road=Gateway(),
    )
    sweep_as(world, nas, grace=datetime.timedelta(seconds=60)).run()
    assert pool.on_filer == [share.instance_id, nobodys]  # not at once
    sweep_as(world, nas).run()
    assert pool.on_filer == [share.instance_id]
    assert told(world) == {("leaked", "export")}


def test_many_strangers_are_asked_for_in_parts(world):
    """A pool of another host's, with more shares than one statement may name."""
    mine = make_share(world, make_caller())
    ids = {mine.instance_id, *(new_id() for _ in range(1200))}
    with world.db.read() as tx:
        assert ownership.instances(tx, ids) == {mine.instance_id: world.backend.pool_name}
        assert ownership.journalled(tx, ids) == {mine.instance_id}


def _spec(share):
    return ShareSpec(instance_id=share.instance_id, size_bytes=share.size_gib << 30)


def _ref(world, share):
    (mark,) = world.export.inventory(world.backend.place)
    return ExportRef(
        instance_id=share.instance_id,
        export_id=mark.facts["export_id"],
        place=world.backend.place,
    )
