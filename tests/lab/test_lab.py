"""The lab itself: guests boot, mount and are refused, and nothing outlives a test."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.hosts import Client, TwoHosts
from tests.lab.netns import NETNS_DIRECTORY, ip
from tests.lab.nfs_client import NfsClient
from tests.lab.requirements import LabError, require
from tests.lab.segment import Segment
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory
    from tests.lab.guest import Guest
    from tests.lab.world import World

# One guest and one server serve the whole module.
pytestmark = [pytest.mark.real, pytest.mark.xdist_group("lab")]


@pytest.mark.vm
def test_a_guest_answers_while_another_command_hangs(guest: Guest) -> None:
    hanging = guest.start("sleep 30")
    with pytest.raises(TimeoutError, match="sleep 30"):
        guest.result(hanging, timeout=0.2)
    assert guest.sh("echo $((6 * 7))").output == "42\n"
    assert guest.sh("echo no >&2; exit 3", check=False).rc == 3
    with pytest.raises(LabError, match="ended with 3: no"):
        guest.sh("echo no >&2; exit 3")
    assert guest.qmp.command("query-status")["status"] == "running"


@pytest.mark.vm
@pytest.mark.parametrize("version", ["4.1", "4.2"])
def test_the_kernel_writes_and_reads(guest: Guest, world: World, version: str) -> None:
    client, file = NfsClient(guest), f"from-guest-{version}"
    mounted = client.mount(world.segment.server, "/open", version=version)
    assert mounted.ok, mounted.output
    try:
        assert client.read("/mnt/share/hello").output == "hello\n"
        written = client.write(f"/mnt/share/{file}", version)
        assert written.rc == 0, written.output
        assert (world.data / file).read_text() == version
        assert client.df().size > client.df().free > 0
    finally:
        client.umount()


@pytest.mark.vm
def test_the_kernel_mounts_over_ipv6(guest: Guest, world: World) -> None:
    client = NfsClient(guest)
    mounted = client.mount(world.segment.server6, "/open")
    assert mounted.ok, mounted.output
    assert client.read("/mnt/share/hello").output == "hello\n"
    assert world.segment.server6 in guest.sh("grep /mnt/share /proc/mounts").output
    client.umount()


@pytest.mark.vm
@pytest.mark.parametrize("six", [False, True])
def test_a_refused_mount_says_so_at_once(guest: Guest, world: World, six: bool) -> None:
    server = world.segment.server6 if six else world.segment.server
    refused = NfsClient(guest).mount(server, "/closed")
    assert not refused.ok
    assert "No such file or directory" in refused.output
    assert refused.seconds < 5


@pytest.mark.vm
def test_a_guest_that_fails_to_boot_shows_its_console(guest_factory: GuestFactory) -> None:
    with pytest.raises(LabError, match="Kernel panic"):
        guest_factory(append="rdinit=/nowhere root=/dev/none", boot_timeout=60)


@pytest.mark.vm
def test_a_guest_dies_with_the_process_that_started_it() -> None:
    script = (
        "import os\n"
        "from tests.lab.build import build\n"
        "from tests.lab.guest import Guest\n"
        "with Guest(build()) as guest:\n"
        "    print(guest.directory, guest.process.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False
    )
    directory, pid = done.stdout.split()
    shutil.rmtree(directory)
    assert done.returncode == -9
    until(lambda: not _runs(pid, directory), "the guest has ended", seconds=5)


def _runs(pid: str, directory: str) -> bool:
    """Whether it is still that QEMU which has the number."""
    try:
        return directory in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_segment_leaves_nothing_behind() -> None:
    segment = Segment(service_netns=False)
    with contextlib.suppress(ZeroDivisionError), segment:
        segment.client_ns()
        segment.nic()
        sleeper = segment.popen(["sleep", "100"])
        assert f"{segment.server}/24" in segment.run(["ip", "-br", "addr"]).stdout
        raise ZeroDivisionError
    assert sleeper.poll() is not None
    assert not list(NETNS_DIRECTORY.glob(f"{segment.name}-*"))
    assert segment.device not in ip("-br", "link")


def test_a_client_that_cannot_be_plugged_in_leaves_nothing(tmp_path: Path) -> None:
    with TwoHosts(tmp_path) as lab:
        client = Client(lab.hosts[0], "no-such-bridge")
        with pytest.raises(LabError, match="no-such-bridge"), client:
            pass
        assert not (NETNS_DIRECTORY / client.netns).exists()
        assert client.tap not in ip("-br", "link", netns=lab.hosts[0].netns)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(LabError, match=r"no-such-program.*/dev/no-such-device"):
        require("ip", "no-such-program", devices=("/dev/no-such-device",))
