"""What one operation is asked to do, and how everything must be when it has ended."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import msgspec

from roadstead.ops.recipes import RECIPES
from tests.crash.census import Census, Known
from tests.crash.tenancy import Tenancy
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.live.api import Api

FORWARD = ("before", "effect", "journal")
UNDO = ("undo-before", "undo-effect", "undo-journal")
HOST = "the compute host"


class Host(Protocol):
    """The compute host of a stage that has one, and its VMs."""

    @property
    def address(self) -> str: ...
    @property
    def libvirtd(self) -> Libvirtd: ...
    @property
    def vm(self) -> Domain: ...
    @property
    def odd_vm(self) -> Domain: ...


class Stage(Protocol):
    """The live service as scenarios use it."""

    @property
    def api(self) -> Api: ...
    @property
    def admin(self) -> Api: ...
    @property
    def census(self) -> Census: ...
    @property
    def state(self) -> Path: ...
    @property
    def agent_pid(self) -> int: ...
    @property
    def has_host(self) -> bool: ...
    @property
    def has_tenancy(self) -> bool: ...
    @property
    def host(self) -> Host: ...
    @property
    def tenancy(self) -> Tenancy: ...
    def wait_state(self, attachment_id: str, wanted: str) -> None: ...


class Subject(msgspec.Struct, kw_only=True):
    """The share, the rule and so on that a scenario works on."""

    share_id: str = ""
    rule_id: str = ""
    attachment_id: str = ""
    network_id: str = ""
    server_id: str = ""

    def known(self, stage: Stage) -> Known:
        """Its row."""
        known = stage.census.share(self.share_id)
        assert known is not None, f"share {self.share_id} is gone"
        return known


class Ending(Protocol):
    """How everything must be at last."""

    def differences(self, stage: Stage, subject: Subject) -> Iterator[str]: ...


class End(msgspec.Struct, frozen=True, kw_only=True):
    """What the API must say at last. `status` None: the share is gone."""

    status: str | None = "available"
    size: int = 2
    rules: dict[str, tuple[str, str]] = {}  # target (or HOST): (level, state)
    attachment: tuple[str, ...] | None = None  # states; () = it is gone

    def differences(self, stage: Stage, subject: Subject) -> Iterator[str]:
        """What it says instead, in words."""
        path = f"/shares/{subject.share_id}"
        answer = stage.api.send("GET", path)
        if self.status is None:
            if answer.status_code != 404:
                yield f"{path} is still there: {answer.json()['share']['status']}"
            return
        if answer.status_code != 200:
            yield f"{path}: {answer.status_code}"
            return
        share = answer.json()["share"]
        if (share["status"], share["size"]) != (self.status, self.size):
            yield f"share: {share['status']} {share['size']}, not {self.status} {self.size}"
        rules = {
            r["access_to"]: (r["access_level"], r["state"])
            for r in stage.api.rules(subject.share_id)
        }
        wanted = {stage.host.address if to == HOST else to: r for to, r in self.rules.items()}
        if rules != wanted:
            yield f"rules: {rules}, not {wanted}"
        if self.attachment is not None:
            found = attachment_state(stage.api, subject.attachment_id)
            if found not in (self.attachment or (None,)):
                yield f"attachment: {found}, not {' or '.join(self.attachment) or 'gone'}"


def attachment_state(api: Api, attachment_id: str) -> str | None:
    """The attachment's state; None when it is gone."""
    url = f"{api.url}/roadstead/v1/attachments/{attachment_id}"
    answer = api.session.get(url, timeout=60)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer.json()["attachment"]["state"]


Obstacle = Callable[[Stage, Subject], AbstractContextManager[None]]


def _none(_stage: Stage, _subject: Subject) -> AbstractContextManager[None]:
    return nullcontext()


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """`prepare` leaves everything ready; `act` is the one request. With `fails_at` the obstacle
    makes that step fail for good, and the kills are on the way back from there."""

    verb: str
    prepare: Callable[[Stage, Subject], Any]
    act: Callable[[Stage, Subject], Any]
    end: Ending
    fails_at: str | None = None
    obstacle: Obstacle = _none
    failures_before: int = 0  # operations that failed in `prepare`
    messages: bool = True  # what fails is told to the share's user
    operations: int = 1  # how many the request leads to at once

    @property
    def needs_tenancy(self) -> bool:
        """Only a stage with share servers can play it, and that one plays no other."""
        return self.verb.startswith("share_server.")

    def fits(self, stage: Stage) -> bool:
        """The stage can play it."""
        if self.verb.startswith("attachment."):
            return stage.has_host
        return stage.has_tenancy == self.needs_tenancy

    def points(self) -> Iterator[tuple[str, str]]:
        """(step, phase) of every place where this scenario can be killed."""
        steps = [step.name for step in RECIPES[self.verb].steps]
        if self.fails_at is None:
            yield from ((step, phase) for step in steps for phase in FORWARD)
        else:
            back = steps[: steps.index(self.fails_at) + 1]
            yield from ((step, phase) for step in reversed(back) for phase in UNDO)
