"""Start-up, an agent that was killed, and what the service takes while nobody uses it."""

import time
from collections.abc import Iterable

from bench.processes import Cpu, Service, memory
from bench.table import Figure
from tests.lab.segment import Segment
from tests.live.service import Roadstead

_SETTLE_SECONDS = 5.0
_MEMORY = 150


def measure() -> list[Figure]:
    """One service with the image pool and NFS-Ganesha, from its first start on."""
    with Segment() as segment:
        roadstead = Roadstead(segment)
        began = time.monotonic()
        with roadstead:
            first, spent = time.monotonic() - began, _spent(roadstead)
            answers = _first_answers(roadstead)
            roadstead.stop()
            roadstead.down()
            began = time.monotonic()
            roadstead.start()
            again = time.monotonic() - began
            return [
                Figure(group="start", name="first start to ready", value=first, unit="s",
                       target=3, note="users, database, pool and export server made"),
                Figure(group="start", name="CPU for it", value=spent / 1000, unit="s",
                       note="what it would take on one processor that nobody else uses"),
                Figure(group="start", name="later start to ready", value=again, unit="s",
                       target=3, note="after roadstead down"),
                *answers,
                _killed(roadstead),
                *_idle(roadstead),
                *_used(roadstead),
            ]  # fmt: skip


def _first_answers(roadstead: Roadstead) -> list[Figure]:
    api, found = roadstead.api(), list[float]()
    for _ in range(2):
        began = time.monotonic()
        api.get("/shares")
        found.append(1000 * (time.monotonic() - began))
    note = "the password's bcrypt hash is checked"
    return [
        Figure(group="start", name="first request", value=found[0], unit="ms", note=note),
        Figure(group="start", name="second request", value=found[1], unit="ms"),
    ]


def _idle(roadstead: Roadstead) -> list[Figure]:
    service = Service.of(roadstead)
    time.sleep(_SETTLE_SECONDS)
    before, began = _cpu(service.ours), time.monotonic()
    time.sleep(_SETTLE_SECONDS)
    busy = (_cpu(service.ours) - before) / (time.monotonic() - began)
    all_of_it = memory(service.ours)

    def one(name: str, *pids: int, note: str = "") -> Figure:
        value = memory(pids).pss
        return Figure(group="idle", name=name, value=value, unit="MiB", note=note)

    return [
        Figure(group="idle", name="memory of the service", value=all_of_it.alone, unit="MiB",
               target=_MEMORY, note="each file's pages once, nothing shared with others"),
        Figure(group="idle", name="the same as PSS", value=all_of_it.pss, unit="MiB",
               note="less while other programs of this machine use the same libraries"),
        one("  PSS of the supervisor", service.supervisor),
        one("  PSS of the agent", service.agent),
        one("  PSS of the API", service.api),
        one("PSS of export server and bus", *service.exports, note="not part of the target"),
        Figure(group="idle", name="CPU", value=busy, unit="ms/s"),
    ]  # fmt: skip


def _used(roadstead: Roadstead) -> list[Figure]:
    """The same once everything was loaded that is loaded only when needed."""
    api = roadstead.api()
    share = api.create_share()
    api.allow(share["id"], "10.0.0.1")
    api.get("/shares/detail")
    value = memory(Service.of(roadstead).ours).alone
    return [
        Figure(group="idle", name="memory after the first share", value=value, unit="MiB",
               target=_MEMORY)
    ]  # fmt: skip


def _killed(roadstead: Roadstead) -> Figure:
    began = time.monotonic()
    roadstead.kill_agent()
    roadstead.wait_ready()
    value = time.monotonic() - began
    note = "kill -9; the supervisor starts another after 0.2 s"
    return Figure(group="start", name="agent killed to ready", value=value, unit="s", note=note)


def _spent(roadstead: Roadstead) -> float:
    """Milliseconds of everything that ran until now, but for the export server."""
    cpus = [Cpu.of(pid) for pid in Service.of(roadstead).ours]
    return sum(cpu.own + cpu.programs for cpu in cpus)


def _cpu(pids: Iterable[int]) -> float:
    return sum(Cpu.of(pid).own for pid in pids)
