"""What a request costs the database, dispatch not counted."""

from roadstead.model.ids import new_id
from roadstead.model.shares import ShareType
from roadstead.service import access
from roadstead.service import placement as shares
from roadstead.service.access import NewRule
from roadstead.service.new_share import NewShare
from roadstead.store import share_types
from roadstead.store.db import counting, utcnow
from roadstead.store.scope import everyone
from tests.factories import make_caller, make_share


def test_a_create_takes_few_statements(world):
    """Figures: at most ten in the API; the engine's two come on top of these."""
    with counting() as statements:
        world.engine.stop()
        shares.create(world.service, make_caller(), NewShare(proto="NFS", size_gib=1))
    # PostgreSQL: the locks of the project and of the agent's export ids
    assert statements[0] <= (6 if world.db.is_sqlite else 8)


def test_an_allow_takes_few_statements(world):
    caller = make_caller()
    share = make_share(world, caller)
    with counting() as statements:
        access.allow(
            world.service, caller, share.id, NewRule(access_type="ip", access_to="10.0.0.1")
        )
    # the agent's half is among them: the inline engine runs it at once
    assert statements[0] <= 8


def test_a_type_is_found_with_all_its_specs_in_one_statement(world):
    now = utcnow()
    types = [
        ShareType(id=new_id(), name=name, created_at=now, extra_specs=specs)
        for name, specs in (("bare", {}), ("full", {"a": "1", "b": "2"}))
    ]
    with world.db.write() as tx:
        for made in types:
            share_types.insert(tx, made)
    for made in types:
        with world.db.read() as tx, counting() as statements:
            assert share_types.find(tx, everyone(), made.name) == made
        assert statements == [1]
