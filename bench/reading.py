"""GET of one share and detail lists at 10,000 shares, on SQLite and on PostgreSQL."""

import contextlib
import random
import statistics
import time
import uuid
from collections.abc import Callable, Sequence

from bench.filling import fill
from bench.processes import Cpu, Service
from bench.table import Figure, p95
from tests.live.api import Api
from tests.live.service import Roadstead
from tests.services.postgres import Postgres

SHARES, PAGE = 10_000, 1_000


def measure() -> list[Figure]:
    """A real API process each; drivers in memory, because nothing is made."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        url = postgres.create_database(f"b_{uuid.uuid4().hex}")
        return [*_measured("SQLite", ""), *_measured("PostgreSQL", url)]


def _measured(name: str, database: str) -> list[Figure]:
    with Roadstead(pool="memory", export="memory", database=database) as roadstead:
        api = roadstead.api()
        project = api.create_share()["project_id"]
        url = database or f"sqlite:///{roadstead.state}/db/roadstead.sqlite"
        # Half of them the caller's: a list must find its rows among others'.
        ids = fill(url, SHARES // 2, project, SHARES - SHARES // 2)
        pid = Service.of(roadstead).api
        group = f"reading, {name}, {SHARES:,} shares"
        return [
            *_figures(group, "GET share", pid, _shows(api, ids), rounds=300, cpu=3),
            *_figures(group, "detail list, 100 rows", pid, _lists(api, 100), rounds=40),
            *_figures(group, "detail list, 1,000 rows", pid, _lists(api, PAGE), rounds=15, cpu=60),
        ]


def _shows(api: Api, ids: Sequence[str]) -> Callable[[], None]:
    def show() -> None:
        api.share(random.choice(ids))

    return show


def _lists(api: Api, limit: int) -> Callable[[], None]:
    def show() -> None:
        # Not decoded: that is the client's work, and would be in the wall time.
        response = api.send("GET", f"/shares/detail?limit={limit}")
        assert response.status_code == 200, response.text

    return show


def _figures(
    group: str,
    name: str,
    pid: int,
    act: Callable[[], None],
    *,
    rounds: int,
    cpu: float | None = None,
) -> list[Figure]:
    act()
    before, ms = Cpu.of(pid), list[float]()
    for _ in range(rounds):
        began = time.monotonic()
        act()
        ms.append(1000 * (time.monotonic() - began))
    each = (Cpu.of(pid) - before).own / rounds
    return [
        Figure(group=group, name=f"{name}, CPU of the API", value=each, unit="ms", target=cpu,
               note=f"mean of {rounds}"),
        Figure(group=group, name=f"{name}, wall", value=statistics.median(ms), unit="ms",
               note=f"median; 95 of 100 in {p95(ms):.1f} ms"),
    ]  # fmt: skip
