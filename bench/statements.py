"""SQL statements of one request and of one operation, counted in this process.

The real API application, service, DBOS client and runner on a real database, with drivers in
memory. What DBOS asks its own tables between operations is not counted; its enqueueing is.
"""

import contextlib
import logging
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon.testing
import msgspec
import structlog

from bench.table import Figure
from roadstead.api.app import make_app
from roadstead.api.auth import NoAuth
from roadstead.engine import dbos
from roadstead.store import operations
from roadstead.store.db import counting
from tests.factories import HOST, World, make_world
from tests.services.postgres import Postgres

_HEADERS = {"X-OpenStack-Manila-API-Version": "2.99"}


def measure() -> list[Figure]:
    """The same on SQLite and on PostgreSQL."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        postgres = stack.enter_context(Postgres())
        urls = {
            "SQLite": f"sqlite:///{directory}/bench.sqlite",
            "PostgreSQL": postgres.create_database(f"b_{uuid.uuid4().hex}"),
        }
        return [
            figure for name, url in urls.items() for figure in _counted(name, url, Path(directory))
        ]


def _counted(database: str, url: str, run_directory: Path) -> list[Figure]:
    # What an operation logs is not what is asked for here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    dbos.prepare(url)
    world = make_world(url)
    # Nobody listens for its nudges: the operation runs when we say so.
    engine = dbos.DbosEngine(url, str(run_directory))
    app = make_app(msgspec.structs.replace(world.service, engine=engine), auth=NoAuth())
    client = falcon.testing.TestClient(app, headers=_HEADERS)
    try:
        return _requests(database, world, client)
    finally:
        world.close()


def _requests(database: str, world: World, client: falcon.testing.TestClient) -> list[Figure]:
    def send(method: str, path: str, body: Any = None) -> tuple[Any, int]:
        with counting() as counter:
            answer = client.simulate_request(method, path, json=body)
        assert answer.status_code in (200, 202), answer.text
        return answer.json, counter[0]

    group = f"SQL statements, {database}"
    new = {"share": {"share_proto": "NFS", "size": 1, "name": "bench"}}
    rule = {"allow_access": {"access_type": "ip", "access_to": "10.1.1.1", "access_level": "rw"}}
    made, create = send("POST", "/v2/shares", new)
    create_agent = _run(world)
    path = f"/v2/shares/{made['share']['id']}"
    _, allow = send("POST", f"{path}/action", rule)
    allow_agent = _run(world)
    _, show = send("GET", path)
    _, detail = send("GET", "/v2/shares/detail")

    def figure(name: str, value: int, target: int | None = None, note: str = "") -> Figure:
        return Figure(group=group, name=name, value=value, unit="", target=target, note=note)

    return [
        figure("create, in the API", create, 10, "2 of them are DBOS's enqueueing"),
        figure("create, in the agent", create_agent, None, "5 of them are the journal's writes"),
        figure("allow → active, both", allow + allow_agent, 8, f"API {allow}, agent {allow_agent}"),
        figure("GET share", show, 2),
        figure("detail list", detail, 2, "however many rows"),
    ]


def _run(world: World) -> int:
    """The one live operation has run; how many statements that took."""
    with world.db.read() as tx:
        (operation,) = operations.live_on(tx, HOST)
    run: Callable[[str], None] = world.runner.run
    with counting() as counter:
        run(operation.id)
    return counter[0]
