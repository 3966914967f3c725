"""Export ids: one of an agent's own for each share, part of every NFS handle."""

from concurrent.futures import ThreadPoolExecutor

from roadstead.service import placement
from roadstead.service import shares as service
from roadstead.service.new_share import NewShare
from roadstead.store import shares as store
from roadstead.store import tables as t
from tests.factories import HOST, make_caller, make_share


def _ids(world) -> list[int | None]:
    with world.db.read() as tx:
        return [instance.export_id for instance in store.instances_on(tx, HOST)]


def test_projects_that_create_at_one_moment_get_different_ids(world):
    """D-I1: nobody is refused because somebody else creates a share, too."""
    callers = [make_caller() for _ in range(6)]

    def create(caller) -> None:
        for _ in range(4):
            placement.create(world.service, caller, NewShare(proto="NFS", size_gib=1))

    with ThreadPoolExecutor(len(callers)) as threads:
        list(threads.map(create, callers))
    assert sorted(filter(None, _ids(world))) == list(range(1, 25))


def test_the_id_after_the_highest_is_taken_and_gaps_only_when_the_numbers_are_used_up(world):
    caller = make_caller()
    made = [make_share(world, caller) for _ in range(3)]
    service.delete(world.service, caller, made[1].id)
    make_share(world, caller)
    assert sorted(filter(None, _ids(world))) == [1, 3, 4]
    with world.db.write() as tx:
        tx.execute(
            t.share_instances.update()
            .where(t.share_instances.c.export_id == 4)
            .values(export_id=65535)
        )
    world.engine.stop()  # its export has the id still, which an agent would see
    make_share(world, caller)
    make_share(world, caller)
    assert sorted(filter(None, _ids(world))) == [1, 2, 3, 4, 65535]
