"""Kills of whole processes: right after an answer, and at random moments of much work."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import requests

from tests.crash.play import Result, judged
from tests.crash.scenario import Scenario, Subject
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import Stage

CREATES = 24
_CLIENTS = 4
_KILLS = 3
_LONGEST_MOMENT = 0.1


def answered(stage: Stage, scenario: Scenario) -> Result:
    """Supervisor, API and agent were killed right after the answer; the operation ended well."""

    def attempt(note: dict[str, int]) -> Iterator[str]:
        subject = Subject()
        scenario.prepare(stage, subject)
        scenario.act(stage, subject)
        stage.kill_all()
        note["killed"] = 1
        stage.service.start()
        stage.wait_idle()
        yield from scenario.end.differences(stage, subject)

    return judged(stage, scenario.verb, "(answered)", "everything", attempt)


def submitted(stage: Stage) -> Result:
    """One of every verb was answered while no agent lived, then all was killed: what a request
    leaves in the database is enough to carry it out."""

    def attempt(note: dict[str, int]) -> Iterator[str]:
        subjects = [(scenario, Subject()) for scenario in succeeding(stage)]
        for scenario, subject in subjects:
            scenario.prepare(stage, subject)
        os.kill(stage.service.pid, signal.SIGSTOP)  # it would start another agent
        stage.service.kill_agent()
        for scenario, subject in subjects:
            scenario.act(stage, subject)
        waiting = len(stage.census.live_operations())
        wanted = sum(scenario.operations for scenario, _ in subjects)
        if waiting != wanted:
            yield f"{waiting} operations wait, not {wanted}"
        stage.kill_all()
        note["killed"] = 2
        stage.service.start()
        stage.wait_idle()
        for scenario, subject in subjects:
            yield from scenario.end.differences(stage, subject)

    return judged(stage, "every verb", "(submitted)", "agent, then everything", attempt)


def succeeding(stage: Stage | None = None) -> list[Scenario]:
    """The scenarios without an obstacle (that the stage can play): one per verb."""
    found = [scenario for scenario in SCENARIOS if scenario.fails_at is None]
    return [s for s in found if stage is None or s.fits(stage)]


def storm(stage: Stage, victim: str, rng: random.Random) -> Result:
    """Shares were created, then deleted, many at a time, while the victim (agent, API or
    everything) was killed at random moments; nothing that was answered got lost."""

    def attempt(note: dict[str, int]) -> Iterator[str]:
        ids = _killing(stage, victim, rng, note, [_create] * CREATES)
        stage.wait_idle()
        shares = {s["id"]: s["status"] for s in stage.api.get("/shares/detail")["shares"]}
        for share_id in ids - shares.keys():
            yield f"share {share_id} was answered and is not there"
        for share_id, status in shares.items():
            if status != "available":
                yield f"share {share_id} is {status}"
        findings = stage.settle()
        yield from (*findings.stuck, *findings.leaked)
        gone = _killing(stage, victim, rng, note, [_deleting(share_id) for share_id in shares])
        stage.wait_idle()
        for share_id in gone & {s["id"] for s in stage.api.get("/shares")["shares"]}:
            yield f"share {share_id} was to go and is there"

    return judged(stage, "many", "(random)", victim, attempt)


def _killing(
    stage: Stage,
    victim: str,
    rng: random.Random,
    note: dict[str, int],
    tasks: list[Callable[[Stage], str]],
) -> set[str]:
    """What the tasks that got an answer returned; the victim was killed meanwhile, and is back."""
    kill = {"agent": _kill_agent, "API": _kill_api, "everything": _kill_all}[victim]
    with ThreadPoolExecutor(_CLIENTS) as clients:
        futures: list[Future[str]] = []
        for turn in range(_KILLS):
            # Fresh work for each, begun when it comes: no kill meets an idle service.
            fresh = [clients.submit(task, stage) for task in tasks[turn::_KILLS]]
            futures += fresh
            wait(fresh, return_when=FIRST_COMPLETED)
            time.sleep(rng.uniform(0.0, _LONGEST_MOMENT))  # the random moment
            kill(stage)
            note["killed"] += 1
    found: set[str] = set()
    assert len(tasks) < _KILLS or any(f.exception() is None for f in futures), "no answer came"
    for future in futures:
        error = future.exception()
        if error is None:
            found.add(future.result())
        elif not isinstance(error, requests.RequestException):  # the connection was cut
            raise error
    return found


def _create(stage: Stage) -> str:
    return stage.service.api().create_share(1, wait=False)["id"]


def _deleting(share_id: str) -> Callable[[Stage], str]:
    def delete(stage: Stage) -> str:
        stage.service.api().delete_share(share_id, wait=False)
        return share_id

    return delete


def _kill_agent(stage: Stage) -> None:
    pid, deaths = stage.agent_pid, stage.deaths()
    stage.service.kill_agent()
    stage.wait_agent(other_than=pid)
    assert stage.deaths() == deaths + 1, "the agent did not die of SIGKILL"


def _kill_api(stage: Stage) -> None:
    pid = stage.api_pid
    os.kill(pid, signal.SIGKILL)
    stage.wait_api(other_than=pid)


def _kill_all(stage: Stage) -> None:
    stage.kill_all()
    stage.service.start()
