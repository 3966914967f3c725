"""The agent and, at the same moment, libvirtd or a VM's virtiofsd are killed."""

import contextlib
from collections.abc import Iterator

from roadstead.drivers.hypervisor.libvirt import daemon
from tests.conformance.libvirt_lab import end
from tests.crash.play import Result, judged
from tests.crash.scenario import Subject
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import Stage

VICTIMS = ("libvirtd", "virtiofsd")
ATTACHING = (
    ("attachment.attach", "bind", "journal"),
    ("attachment.attach", "plug", "effect"),
)
DETACHING = (
    ("attachment.detach", "unplug", "before"),
    ("attachment.detach", "unplug", "effect"),
)


def both_killed(stage: Stage, victim: str, verb: str, step: str, phase: str) -> Result:
    """The agent died at that point, and the victim with it; libvirtd came back. Whatever the
    device's daemon, everything goes when it is detached."""
    (scenario,) = (s for s in SCENARIOS if s.verb == verb and s.fails_at is None)

    def attempt(note: dict[str, int]) -> Iterator[str]:
        subject, pid = Subject(), stage.agent_pid
        scenario.prepare(stage, subject)
        stage.killed_at(f"{verb}:{step}:{phase}", lambda: scenario.act(stage, subject))
        note["killed"] = 1
        _kill(stage, victim)
        stage.wait_agent(other_than=pid)
        stage.wait_idle()
        if victim == "virtiofsd" and (step, phase) == ("plug", "effect"):
            stage.wait_state(subject.attachment_id, "broken")
            return
        yield from scenario.end.differences(stage, subject)

    return judged(stage, verb, step, f"{phase}, {victim} too", attempt)


def _kill(stage: Stage, victim: str) -> None:
    if victim == "libvirtd":
        stage.host.libvirtd.kill()
        stage.host.libvirtd.start()
        return
    for pids in daemon.running(stage.state / "run/compute").values():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # its parent's death may have taken it
                end(pid)
