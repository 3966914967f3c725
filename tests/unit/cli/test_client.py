"""Waiting for an operation: until it is done, has failed, or nobody waits any longer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.api.app import make_app
from roadstead.api.auth import NoAuth
from roadstead.cli.client import Client, OperationFailed, StillBusy, progress
from roadstead.cli.credentials import Credentials
from roadstead.model.errors import DriverError, Transient
from roadstead.store import operations
from tests.factories import World, make_caller, make_share
from tests.unit.cli.serving import serving


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with serving(make_app(world.service, auth=NoAuth())) as url:
        yield Client(Credentials(url=url, headers={}, source="a test"))


def _newest(client: Client) -> str:
    return client.get("/operations", all_projects=1, limit=1)["operations"][0]["id"]


def test_one_that_is_done(client, world):
    make_share(world, make_caller())
    seen: list[str] = []
    done = client.wait(_newest(client), look=lambda operation: seen.append(operation["state"]))
    assert (done["state"], seen) == ("done", ["done"])
    assert progress(done) == "share.create: pool ok, export ok"


def test_one_that_failed_is_an_error_with_its_reason(client, world):
    world.pool.fail["ensure_share"] = DriverError("the disk is full")
    make_share(world, make_caller())
    with pytest.raises(OperationFailed, match=r"share\.create failed: the disk is full"):
        client.wait(_newest(client))


def test_one_that_goes_on_is_told_of_with_what_it_waits_for(client, world):
    world.export.fail["ensure_export"] = Transient("the server is away")
    make_share(world, make_caller())
    operation_id = _newest(client)
    with pytest.raises(StillBusy) as busy:
        client.wait(operation_id, seconds=0)
    assert "share.create: pool ok, export … (the server is away)" in str(busy.value)
    assert operation_id in str(busy.value)


def test_it_waits_until_the_end(client, world):
    world.export.fail["ensure_export"] = Transient("the server is away")
    make_share(world, make_caller())
    operation_id = _newest(client)

    def look(operation):
        """It goes on once it was seen waiting."""
        if operation["state"] != "done":
            world.export.fail.pop("ensure_export")
            with world.db.write() as tx:
                operations.update(tx, operation_id, not_before=None)
            world.runner.run(operation_id)

    assert client.wait(operation_id, look=look)["state"] == "done"


def test_a_terminal_shows_the_steps(world, photos):
    """In a process of its own, whose stderr is a terminal."""
    screen, terminal = os.openpty()
    with serving(make_app(world.service, auth=NoAuth())) as url:
        done = subprocess.run(
            [Path(sys.executable).with_name("roadstead"), "probe", photos.id],
            env={**os.environ, "OS_AUTH_TYPE": "none", "OS_ENDPOINT": url, "TERM": "xterm"},
            stdout=subprocess.DEVNULL,
            stderr=terminal,
        )
    os.close(terminal)
    with open(screen, "rb") as seen:
        assert b"share.probe: probe ok" in seen.read1()
    assert done.returncode == 0
