"""A real Samba and the SMB client of a real kernel in a virtual machine."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import ExportBench, ref
from roadstead.conformance.user_access import user
from roadstead.drivers.export.samba.driver import SambaExport
from roadstead.model import world as w
from tests.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.fixtures import GuestFactory, SegmentFactory
    from tests.lab.guest import Guest, Result
    from tests.lab.segment import Segment

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("samba-guest")]
HOST = 10
MODULES = "ccm cmac ctr ecb gcm ghash_generic nls_utf8 sha512_generic cifs"


class Kernel:
    """The SMB client of a guest's kernel. Two servers' names would share one connection."""

    def __init__(self, guest: Guest, bench: ExportBench) -> None:
        self.guest = guest
        self._bench = bench

    def mount(
        self,
        spec: w.ExportSpec,
        name: str,
        at: str,
        *,
        password: str = "",
        server: int = 0,
        options: str = "vers=3.1.1",
    ) -> Result:
        """The share is mounted as that user, or the result says why not."""
        address = spec.place.addresses[server]
        # There is no mount.cifs in the guest, so what it would find out is said here.
        words = f"ip={address},username={name},password={password or self._bench.keys[name]}"
        source = f"//{address}/share-{spec.instance_id}"
        command = f"mount -t cifs -o {words},{options},nosharesock {source} {at}"
        load = f"for m in {MODULES}; do modprobe $m; done; mkdir -p {at}"
        return self.guest.sh(f"{load}; timeout 20 {command}", check=False)


@pytest.fixture(scope="module")
def segment(segment_factory: SegmentFactory) -> Segment:
    return segment_factory()


@pytest.fixture(scope="module")
def guest(guest_factory: GuestFactory, segment: Segment) -> Guest:
    return guest_factory([segment.nic(HOST)])


@pytest.fixture(scope="module")
def bench(segment: Segment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportBench]:
    require("smbd", "smbcontrol", "smbpasswd", "smbstatus", root=True)
    directory: Path = tmp_path_factory.mktemp("smb")
    driver = SambaExport(
        SambaExport.Options(state_directory=str(directory / "state"), require_mount=False)
    )
    numbers = itertools.count(1)

    def make_path() -> str:
        path = directory / str(next(numbers))
        path.mkdir()
        (path / "file").write_text("hello\n")
        return str(path)

    addresses = (segment.server, segment.server6)
    place = w.Place(id="guests", netns=segment.service_netns, addresses=addresses)
    driver.ensure_server(place)
    yield ExportBench(driver, place, make_path, lambda _c, _s: None, proto="CIFS")
    driver.ensure_server_absent(place)


@pytest.fixture
def kernel(guest: Guest, bench: ExportBench) -> Iterator[Kernel]:
    yield Kernel(guest, bench)
    guest.sh("umount -l /mnt/a /mnt/b 2>/dev/null; true")


@pytest.mark.parametrize("server", [0, 1], ids=["IPv4", "IPv6"])
def test_the_kernel_writes_and_reads(kernel: Kernel, bench: ExportBench, server: int) -> None:
    spec = bench.exported(user("alice"), user("robert", "ro"))
    for name, at in (("alice", "/mnt/a"), ("robert", "/mnt/b")):
        mounted = kernel.mount(spec, name, at, server=server)
        assert mounted.rc == 0, mounted.output
    assert "vers=3.1.1" in kernel.guest.sh("grep /mnt/a /proc/mounts").output
    assert "sign" in kernel.guest.sh("cat /proc/fs/cifs/DebugData").output
    kernel.guest.sh("echo from-alice > /mnt/a/new && sync && mkdir /mnt/a/directory")
    assert kernel.guest.sh("cat /mnt/b/new").output == "from-alice\n"
    refused = kernel.guest.sh("echo no > /mnt/b/other", check=False)
    assert refused.rc != 0
    kernel.guest.sh("df /mnt/a && rm /mnt/a/new && rmdir /mnt/a/directory")


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("robert", ""), ("nobody", "none")]
)
@pytest.mark.isolation
def test_the_kernel_is_refused_at_once(
    kernel: Kernel, bench: ExportBench, name: str, password: str
) -> None:
    bench.exported(user("robert"))
    spec = bench.exported(user("alice"))
    refused = kernel.mount(spec, name, "/mnt/a", password=password)
    assert refused.rc not in (0, 124, 143), refused.output
    assert "Permission denied" in refused.output


@pytest.mark.parametrize("version", ["1.0", "2.1"])
def test_the_kernel_cannot_come_by_an_older_protocol(
    kernel: Kernel, bench: ExportBench, version: str
) -> None:
    spec = bench.exported(user("alice"))
    assert kernel.mount(spec, "alice", "/mnt/a", options=f"vers={version}").rc != 0
    assert kernel.mount(spec, "alice", "/mnt/a", options="vers=3.0").rc == 0


# D-I5
@pytest.mark.isolation
def test_a_revoked_kernel_loses_what_it_has_open(kernel: Kernel, bench: ExportBench) -> None:
    spec = bench.exported(user("alice"), user("robert"))
    for name, at in (("alice", "/mnt/a"), ("robert", "/mnt/b")):
        mounted = kernel.mount(spec, name, at, options="vers=3.1.1,soft,actimeo=0,cache=none")
        assert mounted.rc == 0, mounted.output
    # The file stays open in a process of its own.
    script = "exec 3<>/mnt/a/file; echo mine >&3; while read -r line; do "
    kernel.guest.sh("rm -f /tmp/in /tmp/out; mkfifo /tmp/in")
    writer = kernel.guest.start(
        f"exec < /tmp/in; {script} if echo $line >&3; then echo ok; else echo failed; fi "
        "> /tmp/out.new; mv /tmp/out.new /tmp/out; done"
    )
    kernel.guest.sh("exec 4>/tmp/in; (sleep 1000 >&4 & echo $! > /tmp/holder)")
    answer = (
        "rm -f /tmp/out; echo more > /tmp/in; "
        "while [ ! -e /tmp/out ]; do usleep 50000; done; cat /tmp/out"
    )
    assert kernel.guest.sh(answer).output == "ok\n"
    bench.allow(spec, [user("robert")])
    assert kernel.guest.sh(answer).output == "failed\n"
    assert kernel.guest.sh("cat /mnt/a/file", check=False).rc != 0
    assert "mine" in kernel.guest.sh("cat /mnt/b/file").output
    assert len(bench.driver.sessions(ref(spec))) == 1
    kernel.guest.sh("kill $(cat /tmp/holder)")
    assert kernel.guest.result(writer).rc == 0
