"""create → available and allow → active, on the real service: image pool and NFS-Ganesha."""

import statistics
import time
from collections.abc import Callable, Sequence

from bench.database import Watch
from bench.processes import Cpu, Service
from bench.table import Figure, p95
from tests.lab.segment import Segment
from tests.live.api import Api
from tests.live.service import Roadstead

ROUNDS = 25


def measure() -> list[Figure]:
    """One after the other, each awaited in the database, so that no polling disturbs."""
    with Segment() as segment, Roadstead(segment) as roadstead:
        api, watch = roadstead.api(), Watch(roadstead)
        first = api.create_share()
        api.allow(first["id"], segment.address(99))
        service = Service.of(roadstead)

        def create(_number: int) -> float:
            began = time.monotonic()
            share = api.create_share(wait=False)
            return watch.share_available(share["id"]) - began

        def allow(number: int) -> float:
            began = time.monotonic()
            rule = api.allow(first["id"], segment.address(100 + number), wait=False)
            return watch.rule_active(rule["id"]) - began

        try:
            return [
                *_figures("create → available", service, create, wall=250, cpu=30),
                *_figures("allow → active", service, allow, wall=50, cpu=None),
                *_answers(api, segment),
            ]
        finally:
            watch.close()


def _figures(
    group: str,
    service: Service,
    act: Callable[[int], float],
    *,
    wall: float,
    cpu: float | None,
) -> list[Figure]:
    before = Cpu.of(service.api), Cpu.of(service.agent)
    seconds = [act(number) for number in range(ROUNDS)]
    api, agent = Cpu.of(service.api) - before[0], Cpu.of(service.agent) - before[1]
    told = f"of {ROUNDS}, one after the other"
    ms = [1000 * s for s in seconds]
    each = 1 / ROUNDS
    figures = [
        Figure(group=group, name="wall, median", value=statistics.median(ms), unit="ms",
               target=wall, note=f"{told}; the client's request to the commit that says so"),
        Figure(group=group, name="wall, 95 of 100", value=p95(ms), unit="ms", note=told),
        Figure(group=group, name="CPU of API and agent", value=(api.own + agent.own) * each,
               unit="ms", target=cpu, note="the agent's idle work included, programs not"),
        Figure(group=group, name="CPU of the API alone", value=api.own * each, unit="ms"),
        Figure(group=group, name="CPU of the agent alone", value=agent.own * each, unit="ms"),
    ]  # fmt: skip
    if agent.programs:
        figures.append(
            Figure(group=group, name="CPU of programs", value=agent.programs * each, unit="ms",
                   note="mkfs, mount and whatever else the agent ran")
        )  # fmt: skip
    return figures


def _answers(api: Api, segment: Segment) -> Sequence[Figure]:
    """How long the client waits for the 200, whatever happens afterwards."""
    create, allow = list[float](), list[float]()
    for number in range(10):
        began = time.monotonic()
        share = api.create_share(wait=False)
        create.append(1000 * (time.monotonic() - began))
        api.wait_share(share["id"])
        began = time.monotonic()
        api.allow(share["id"], segment.address(100 + number), wait=False)
        allow.append(1000 * (time.monotonic() - began))
    return [
        Figure(group="answers", name="POST /shares", value=statistics.median(create), unit="ms"),
        Figure(group="answers", name="allow_access", value=statistics.median(allow), unit="ms"),
    ]
