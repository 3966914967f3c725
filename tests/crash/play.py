"""Scenarios played on a live service, with a kill at one of their points."""

import time
import zlib
from collections.abc import Callable, Iterator

import msgspec
import requests

from tests.crash.census import Findings
from tests.crash.scenario import Scenario, Subject
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import NotKilled, Stage
from tests.live.service import NotReady

# What a service that did not survive a kill does to its harness.
_BROKEN = (NotKilled, NotReady, AssertionError, requests.RequestException)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one kill led to. Good when all lists are empty and it happened."""

    verb: str
    step: str
    phase: str
    database: str
    seconds: float
    killed: int = 1
    problem: str = ""  # the kill did not happen, or the end is not the wanted one
    stuck: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not (self.problem or self.stuck or self.leaked)

    def verdict(self) -> str:
        """The result in a word or two."""
        if not self.killed:
            return "not killed"
        named = (("wrong", self.problem), ("stuck", self.stuck), ("leaked", self.leaked))
        return ", ".join(name for name, found in named if found) or "ok"

    def text(self) -> str:
        """The result in full."""
        named = (("stuck", self.stuck), ("leaked", self.leaked))
        parts = [self.problem, *(f"{name}: {'; '.join(found)}" for name, found in named if found)]
        return "; ".join(filter(None, parts)) or "ok"


def check(results: list[Result]) -> None:
    """Every kill happened, and each ended well; AssertionError with those that did not."""
    assert [f"{r.verb} {r.step} {r.phase}: {r.text()}" for r in results if not r.good] == []
    assert results
    assert all(r.killed for r in results)


def points(verbs: frozenset[str] | None = None) -> list[tuple[Scenario, str, str]]:
    """(scenario, step, phase) of every kill there is, or of these verbs'."""
    return [
        (scenario, step, phase)
        for scenario in SCENARIOS
        if verbs is None or scenario.verb in verbs
        for step, phase in scenario.points()
    ]


def one_point(verb: str) -> tuple[Scenario, str, str]:
    """One of them: another for each verb, the same at every run."""
    kills = points(frozenset((verb,)))
    return kills[zlib.crc32(verb.encode()) % len(kills)]


def play(stage: Stage, scenario: Scenario, step: str, phase: str) -> Result:
    """The agent was killed at that point, and all that can be said about it afterwards; then the
    scenario's share is removed."""

    def attempt(note: dict[str, int]) -> Iterator[str]:
        subject, pid = Subject(), stage.agent_pid
        scenario.prepare(stage, subject)
        with scenario.obstacle(stage, subject):
            stage.killed_at(f"{scenario.verb}:{step}:{phase}", lambda: scenario.act(stage, subject))
        note["killed"] = 1
        stage.wait_agent(other_than=pid)
        stage.wait_idle()
        yield from scenario.end.differences(stage, subject)
        yield from _messages(stage, scenario, subject)

    return judged(stage, scenario.verb, step, phase, attempt)


def _messages(stage: Stage, scenario: Scenario, subject: Subject) -> Iterator[str]:
    """What failed was told to the user, once, however often it was tried."""
    found = stage.api.get("/messages", resource_id=subject.share_id)["messages"]
    # The rule that fails again had failed before.
    fails = scenario.fails_at is not None and scenario.messages
    wanted = 1 + scenario.failures_before if fails else 0
    if len(found) != wanted:
        yield f"{len(found)} messages, not {wanted}"


def judged(
    stage: Stage,
    verb: str,
    step: str,
    phase: str,
    attempt: Callable[[dict[str, int]], Iterator[str]],
) -> Result:
    """The attempt's own complaints, and the census after it and after everything was removed.
    `attempt` notes in its argument how many kills there were."""
    began, note, problems, findings = time.monotonic(), {"killed": 0}, [], []
    try:
        problems += attempt(note)
        findings.append(stage.settle())
        stage.remove_all()
        findings.append(stage.settle())
    except _BROKEN as error:
        problems.append(f"{type(error).__name__}: {error}")
        findings.append(_rescued(stage))
    return Result(
        verb=verb,
        step=step,
        phase=phase,
        database=stage.database,
        seconds=time.monotonic() - began,
        killed=note["killed"],
        problem="; ".join(problems),
        stuck=tuple(text for f in findings for text in f.stuck),
        leaked=tuple(text for f in findings for text in f.leaked),
    )


def _rescued(stage: Stage) -> Findings:
    """What was found; then the next scenario has an empty stage again, if that is possible."""
    found = Findings()
    try:
        found = stage.settle()
        stage.remove_all()
    except _BROKEN as error:
        found.stuck.append(f"{type(error).__name__}: {error}")
    return found
