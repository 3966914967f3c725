"""Fifty shares asked for at the same moment, on the real service."""

import time
from concurrent.futures import ThreadPoolExecutor

from bench.database import Watch
from bench.processes import Cpu, Service
from bench.table import Figure, p95
from tests.lab.segment import Segment
from tests.live.service import Roadstead

SHARES = 50


def measure() -> list[Figure]:
    """Image pool and NFS-Ganesha; each client has a connection of its own."""
    with (
        Segment() as segment,
        Roadstead(segment, settings={"quota": {"shares": -1, "gigabytes": -1}}) as roadstead,
        ThreadPoolExecutor(SHARES) as clients,
    ):
        roadstead.api().create_share()
        watch, service = Watch(roadstead), Service.of(roadstead)
        before = Cpu.of(service.agent)

        def create(_number: int) -> float:
            began = time.monotonic()
            roadstead.api().create_share(wait=False)
            return 1000 * (time.monotonic() - began)

        began = time.monotonic()
        answers = list(clients.map(create, range(SHARES)))
        accepted = time.monotonic() - began
        query = "SELECT count(*) FROM share_instances WHERE status = 'available'"
        took = watch.until(query, [], SHARES + 1) - began
        watch.close()
        cpu = Cpu.of(service.agent) - before
    group = f"load, {SHARES} shares at once"
    return [
        Figure(group=group, name="all answered", value=accepted, unit="s",
               note=f"95 of 100 in {p95(answers):.0f} ms"),
        Figure(group=group, name="all available", value=took, unit="s"),
        Figure(group=group, name="creates per second", value=SHARES / took, unit="/s"),
        Figure(group=group, name="CPU of the agent, each", value=cpu.own / SHARES, unit="ms"),
        Figure(group=group, name="CPU of programs, each", value=cpu.programs / SHARES, unit="ms",
               note="mkfs, mount"),
    ]  # fmt: skip
