"""The direct road while things die: mounted guests go on, and exactly the database's rules hold."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.roads.direct import ALICE, DAVE, Direct, Shared, Writer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.guest import Guest
    from tests.lab.segment import ClientNs

# One service and one guest serve the whole module.
pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("direct-restart")]

# A minute is promised; here the sweep comes more often, so that the test need not wait so long.
SETTINGS = {
    "sweep_interval_seconds": 2,
    "backends": {"local": {"export_options": {"lease_seconds": 5}}},
}
ROAD = functools.partial(Direct, hosts=(ALICE,), settings=SETTINGS)
REPAIR_SECONDS = 60


@pytest.fixture
def share(direct: Direct, alice: Guest, carol: ClientNs) -> Iterator[Shared]:
    """Alice has it mounted and may write; Carol may read; Dave may nothing."""
    made = direct.share(alice.nics[0].address)
    direct.api.allow(made.id, carol.ip, "ro")
    direct.mount(alice, made, options="sync")
    yield made
    alice.sh("umount /mnt/share || umount -l /mnt/share")
    direct.api.delete_share(made.id)


def kill_agent(direct: Direct, writer: Writer) -> None:
    """(a) The agent was killed; there is another one."""
    direct.service.kill_agent()
    writer.wait_lines(1)
    direct.service.wait_ready()


def stop_and_start(direct: Direct, writer: Writer) -> None:
    """(b) The whole service was stopped as by systemd, and started again."""
    direct.service.stop()
    writer.wait_lines(1)
    direct.service.start()


def kill_export_server(direct: Direct, _: Writer) -> None:
    """(c) NFS-Ganesha was killed; there is another one, as soon as the sweep saw it."""
    pid = direct.server_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: direct.server_pid() not in (0, pid), "a new NFS-Ganesha", seconds=REPAIR_SECONDS)


def kill_everything(direct: Direct, _: Writer) -> None:
    """(d) As after a power cut, but for the mounts: service and NFS-Ganesha were killed."""
    pid = direct.server_pid()
    direct.service.kill()
    os.kill(pid, signal.SIGKILL)
    direct.service.start()


@pytest.mark.parametrize(
    "happens", [kill_agent, stop_and_start, kill_export_server, kill_everything]
)
def test_a_mounted_guest_goes_on(
    direct: Direct,
    alice: Guest,
    carol: ClientNs,
    dave: ClientNs,
    share: Shared,
    happens: Callable[[Direct, Writer], None],
) -> None:
    """D-M4: a program with an open file goes on without an error; the rules are as they were."""
    writer = Writer(alice, "/mnt/share")
    happens(direct, writer)
    began = time.monotonic()
    writer.wait_lines(1)
    print(f"{happens.__name__}: a line was written {time.monotonic() - began:.2f} s later")
    writer.wait_lines(2)
    assert writer.finish() > 3
    assert direct.level(carol, share) == "ro"
    assert direct.level(dave, share) == "none"
    shown = {rule["access_to"]: rule["access_level"] for rule in direct.api.rules(share.id)}
    assert shown == {alice.nics[0].address: "rw", carol.ip: "ro"}


@pytest.mark.isolation
def test_a_rule_that_went_while_everything_was_down_does_not_return(
    direct: Direct, carol: ClientNs, dave: ClientNs, share: Shared
) -> None:
    """D-M4: the database says who is admitted, not what the export server was told last."""
    assert direct.level(carol, share) == "ro"
    pid = direct.server_pid()
    direct.service.kill()
    os.kill(pid, signal.SIGKILL)
    with contextlib.closing(direct.database()) as database, database:
        database.execute(
            "UPDATE access_rules SET access_to = ? WHERE access_to = ? AND share_id = ?",
            (dave.ip, carol.ip, share.id),
        )
    direct.service.start()
    assert direct.level(carol, share) == "none"
    assert direct.level(dave, share) == "ro"


def remove_export(direct: Direct, share: Shared) -> None:
    with contextlib.closing(direct.bus()) as bus:
        bus.remove_export(direct.export_id(share))


def unmount(direct: Direct, share: Shared) -> None:
    subprocess.run(["umount", "-l", str(direct.files(share)[0])], check=True)


def change_rules(direct: Direct, share: Shared) -> None:
    """Nobody is admitted any more but Dave."""
    number = direct.export_id(share)
    file = next(direct.service.state.glob(f"exports/*/*/exports.d/{number}.conf"))
    changed = direct.service.state / "changed.conf"
    lines = [line for line in file.read_text().splitlines() if "CLIENT {" not in line]
    lines.insert(-1, f"CLIENT {{ Clients = {direct.segment.address(DAVE)}; Access_Type = RW; }}")
    changed.write_text("\n".join(lines))
    with contextlib.closing(direct.bus()) as bus:
        bus.update_export(changed, number)


@pytest.mark.parametrize(
    ("vandal", "what"),
    [(remove_export, "export"), (unmount, "share"), (change_rules, "access")],
)
def test_what_somebody_broke_by_hand_is_repaired_and_told(
    direct: Direct,
    alice: Guest,
    carol: ClientNs,
    dave: ClientNs,
    share: Shared,
    vandal: Callable[[Direct, Shared], None],
    what: str,
) -> None:
    """D-S7: within a minute, told by the API; a mounted guest can go on."""
    alice.sh("echo before > /mnt/share/file")
    break_until_told(direct, share, vandal)
    print(f"{vandal.__name__}: {told(direct, share)}")
    assert direct.level(carol, share) == "ro"
    assert direct.level(dave, share) == "none"
    assert alice.sh("cat /mnt/share/file; echo after > /mnt/share/file").output == "before\n"
    # What the server serves is what is mounted now, not what was there before.
    assert (direct.files(share)[0] / "file").read_text() == "after\n"
    assert [row[0] for row in told(direct, share)] == [what]


def break_until_told(
    direct: Direct, share: Shared, vandal: Callable[[Direct, Shared], None]
) -> None:
    """The service told of it. A sweep that looked just before and mended just after has nothing to
    tell; then it is broken again."""
    for _ in range(3):
        vandal(direct, share)
        with contextlib.suppress(AssertionError):
            until(lambda: told(direct, share), "told", seconds=REPAIR_SECONDS / 3)
            return
    raise AssertionError(f"nothing was told after {vandal.__name__}")


def told(direct: Direct, share: Shared) -> list[tuple[str, str, str]]:
    """What the service says was different about the share, and what it did."""
    answer = direct.admin.session.get(f"{direct.service.url}/roadstead/v1/drift", timeout=20)
    found = [row for row in answer.json()["drift"] if row["resource_id"] == share.instance]
    assert all(row["repaired_at"] for row in found)
    return [(row["resource_type"], row["detail"], row["action"]) for row in found]
