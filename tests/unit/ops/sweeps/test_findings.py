"""What a sweep tells, and that it goes on."""

import pytest

from roadstead.model.drift import Drift
from roadstead.model.errors import DriverError
from roadstead.model.world import Mark
from roadstead.ops.sweeps.findings import Find, Findings, guarded
from roadstead.store import drift
from roadstead.store.db import Database
from roadstead.store.migrate import upgrade

MARK = Mark(kind="port", id="a")
FOUND = Find(Drift.FOREIGN, "share", "a", "not in the database", "left alone", repaired=False)


@pytest.fixture
def db(database_url):
    upgrade(database_url)
    made = Database(database_url)
    yield made
    made.close()


def told(db):
    with db.read() as tx:
        return [
            (d["host"], d["kind"], d["resource_type"], d["action"], d["repaired_at"] is not None)
            for d in drift.find_all(tx)
        ]


def test_what_stays_is_told_once(db):
    findings = Findings(db, "node1")
    assert findings.is_new(FOUND)
    for _ in range(2):
        findings.tell_once(FOUND)
    assert not findings.is_new(FOUND)
    assert told(db) == [("node1", "foreign", "share", "left alone", False)]


def test_what_is_taken_away_is_told_as_leaked(db):
    findings = Findings(db, "node1")
    assert findings.remove(MARK, lambda: True, "a port", what="share_server") == 1
    assert told(db) == [("node1", "leaked", "share_server", "removed", True)]


def test_what_is_not_to_go_after_all_is_not_told(db):
    """Its row was back by then: `roadstead drift` said that its bytes were removed for good."""
    assert Findings(db, "node1").remove(MARK, lambda: False, "a port") == 0
    assert told(db) == []


@pytest.mark.parametrize("error", [DriverError("busy"), ValueError("a fault")])
def test_what_cannot_go_stays_untold(db, error):
    def refuse():
        raise error

    assert Findings(db, "node1").remove(MARK, refuse, "a port") == 0
    assert told(db) == []


def test_who_ends_the_process_is_not_held_up():
    with pytest.raises(KeyboardInterrupt), guarded("not looked at"):
        raise KeyboardInterrupt
