"""A name that changes, of the host or of a backend, is noticed and costs no byte (X-9)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.service import NotReady, Roadstead
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("renamed")]

# Nothing here may be saved by waiting.
SETTINGS = {"host": "a", "sweep_interval_seconds": 1, "leak_grace_seconds": 0}


@pytest.fixture
def service() -> Iterator[Roadstead]:
    with Roadstead(export="memory", settings=SETTINGS) as made:
        yield made
        made.stop()
        # As it was, for what is left to be taken down.
        made.config["host"] = "a"
        made.config["backends"] = {"local": {**_backend(made), "pool": "image"}}
        (made.state / "etc/host").write_text("a\n")
        made.start()


def _backend(service: Roadstead) -> dict[str, Any]:
    return next(iter(service.config["backends"].values()))


def _share(service: Roadstead) -> tuple[str, Path]:
    """(share, a file in it); the service is stopped then."""
    made = service.api("roadstead-admin").create_share()["id"]
    (instance,) = service.api("roadstead-admin").get(f"/shares/{made}/instances")["share_instances"]
    file = service.state / "pools/local/mnt" / instance["id"] / "file"
    file.write_text("precious")
    service.stop()
    return made, file


def _refused(service: Roadstead) -> str:
    """What it said instead of starting."""
    before = service.log.stat().st_size
    with pytest.raises(NotReady):
        service.start()
    assert service._process is not None
    assert service._process.wait(timeout=60) == 1
    return service.log.read_text()[before:]


def _drift(service: Roadstead) -> set[tuple[str, str]]:
    api = service.api("roadstead-admin")
    found = api.session.get(f"{service.url}/roadstead/v1/drift", timeout=60).json()["drift"]
    return {(one["kind"], one["resource_type"]) for one in found}


def _doctor(service: Roadstead) -> str:
    argv = ("roadstead", "doctor", "--json", "--state", str(service.state))
    return service.run(*argv, check=False).stdout


def test_a_renamed_host_is_refused_and_told_the_way_out(service: Roadstead) -> None:
    share, file = _share(service)
    for forgotten in (False, True):
        # As an installation that is older than the note has none: then its shares say it.
        if forgotten:
            (service.state / "etc/host").unlink()
        service.config["host"] = "b"
        said = _refused(service)
        for text in ("belong", 'host "a"', 'this is host "b"', 'Set host = "a"'):
            assert text in said
        assert file.read_text() == "precious"
    (service.state / "etc/host").write_text("a\n")
    down = service.run("roadstead", "down", "--state", str(service.state), check=False)
    assert (down.returncode, file.read_text()) == (1, "precious")
    assert 'Set host = "a"' in down.stderr
    assert "a began it, b is configured" in _doctor(service)
    service.config["host"] = "a"
    service.start()
    assert service.api("roadstead-admin").share(share)["status"] == "available"
    assert file.read_text() == "precious"


def test_a_host_that_insists_on_its_new_name_removes_nothing(service: Roadstead) -> None:
    _, file = _share(service)
    service.config["host"] = "b"
    (service.state / "etc/host").write_text("b\n")
    service.start()  # has swept when it is ready
    assert file.read_text() == "precious"
    until(lambda: ("misplaced", "share") in _drift(service), "it is told")
    assert file.read_text() == "precious"
    assert "leaked" not in {kind for kind, _ in _drift(service)}


def test_a_renamed_backend_removes_nothing_and_is_told(service: Roadstead) -> None:
    _, file = _share(service)
    pool = {"directory": str(service.state / "pools/local"), "backing_gib": 24}
    service.config["backends"] = {"other": {**_backend(service), "pool_options": pool}}
    service.start()  # has swept when it is ready
    assert file.read_text() == "precious"
    until(lambda: ("misplaced", "share") in _drift(service), "it is told")
    assert file.read_text() == "precious"
    assert "leaked" not in {kind for kind, _ in _drift(service)}
    assert "a@local#image" in service.log.read_text()
    assert "1 in a@local#image, which is not configured" in _doctor(service)


def test_bytes_that_no_row_names_wait_in_the_trash(service: Roadstead) -> None:
    """Until a database is put back that has it."""
    share, file = _share(service)
    database = service.state / "db/roadstead.sqlite"
    newer = database.with_name("newer")
    _copy(database, newer)
    _execute(database, "DELETE FROM shares WHERE id = ?", share)
    service.start()
    until(lambda: ("leaked", "share") in _drift(service), "it is told")
    assert not file.exists()
    assert f"kept/share-{file.parent.name}, until " in _doctor(service)
    service.stop()
    _copy(newer, database)
    service.start()
    until(file.exists, "the file is back")
    assert file.read_text() == "precious"
    assert ("missing", "share") in _drift(service)
    assert service.api("roadstead-admin").share(share)["status"] == "available"


def _copy(source: Path, target: Path) -> None:
    import sqlite3

    for file in target.parent.glob(f"{target.name}-*"):
        file.unlink()
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)


def _execute(database: Path, statement: str, *values: str) -> None:
    import sqlite3

    with sqlite3.connect(database) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(statement, values)
