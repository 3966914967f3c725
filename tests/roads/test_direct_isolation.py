"""Two shares on one export server: what a client of the one can do to the other. Nothing."""

from __future__ import annotations

import contextlib
import functools
import itertools
import subprocess
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.lab import nfs4
from tests.lab.nfs4_handle import Handle
from tests.lab.segment import Segment
from tests.lab.world import make_world
from tests.roads.direct import ALICE, BOB, Direct, Shared, Writer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.fixtures import SegmentFactory
    from tests.lab.segment import ClientNs

# One service and two guests serve the whole module.
pytestmark = [
    pytest.mark.isolation,
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.xdist_group("direct-isolation"),
]
ROAD = functools.partial(Direct, hosts=(ALICE, BOB))

MALLORY, VICTIM = 66, 67
SECRET, MINE = b"secret of the victim\n", b"mallory's own\n"
Theirs: TypeAlias = "tuple[Shared, Handle]"
CUT_SECONDS = 10.0  # ten times the second that is promised: these machines are slow


@pytest.fixture(scope="module")
def mallory(direct: Direct) -> ClientNs:
    return direct.segment.client_ns(MALLORY)


@pytest.fixture(scope="module")
def mine(direct: Direct, mallory: ClientNs) -> Shared:
    """Mallory's share, with a file in it."""
    share = direct.share(mallory.ip, direct.segment.address(ALICE))
    with direct.raw(mallory) as session:
        put(session, share, "file", MINE)
    return share


@pytest.fixture(scope="module")
def victim(direct: Direct) -> ClientNs:
    return direct.segment.client_ns(VICTIM)


@pytest.fixture(scope="module")
def theirs(direct: Direct, victim: ClientNs) -> Theirs:
    """The victim's share, and the true handle of the secret in it, the last of its files."""
    share = direct.share(victim.ip)
    with direct.raw(victim) as session:
        for number in range(5):
            put(session, share, f"other{number}", SECRET)
        return share, Handle.parse(put(session, share, "secret", SECRET))


def put(session: nfs4.Client, share: Shared, name: str, data: bytes) -> bytes:
    """The share has the file; its handle, of which we know where the inode is."""
    file = session.open(session.lookup(share.pseudo), name, write=True, create=True)
    session.write(file, 0, data)
    session.close_file(file)
    assert session.read(file.handle, 0, 100) == data
    assert Handle.parse(file.handle).inode == session.getattr(file.handle)["fileid"]
    return file.handle


def forgeries(own: Handle, secret: Handle) -> dict[str, bytes]:
    """What one would try first."""
    moved = functools.partial(own.forge, inode=secret.inode, generation=secret.generation)
    return {
        "theirs": secret.pack(),
        "theirs, my export": secret.forge(export_id=own.export_id),
        "theirs, my filesystem": secret.forge(fsid=own.fsid),
        "theirs, the pseudo root's export": secret.forge(export_id=0),
        "mine, their inode": moved(),
        "mine, their filesystem": own.forge(fsid=secret.fsid),
        "mine, their filesystem and inode": moved(fsid=secret.fsid),
        "mine, their export": own.forge(export_id=secret.export_id),
        "mine, their export and inode": moved(export_id=secret.export_id),
    }


def test_forged_handles_do_not_reach_another_share(
    direct: Direct, mallory: ClientNs, victim: ClientNs, mine: Shared, theirs: Theirs
) -> None:
    """X-1, D-S6: by export id, filesystem id, inode and generation; for reading and writing."""
    secret = theirs[1]
    with direct.raw(mallory) as session:
        handle = session.child(session.lookup(mine.pseudo), "file")
        own = Handle.parse(handle)
        assert own.export_id != secret.export_id
        assert own.fsid != secret.fsid
        assert own.inode < secret.inode
        assert own.generation <= secret.generation
        for name, forged in forgeries(own, secret).items():
            with pytest.raises(nfs4.NfsError, match=r"ACCESS|STALE|BADHANDLE") as refused:
                session.read(forged, 0, 100)
            print(f"{name}: {refused.value.status_name}")
            with pytest.raises(nfs4.NfsError, match=r"ACCESS|STALE|BADHANDLE"):
                session.write(forged, 0, b"overwritten by mallory")
            with pytest.raises(nfs4.NfsError, match=r"ACCESS|STALE|BADHANDLE"):
                session.getattr(forged)
        assert set(searched(session, own, secret)) == {MINE}
    with direct.raw(victim) as session:
        assert session.read(secret.pack(), 0, 100) == SECRET


def searched(session: nfs4.Client, own: Handle, secret: Handle) -> Iterator[bytes]:
    """What every guess at a handle read."""
    filesystems = (own.fsid, secret.fsid)
    exports = (own.export_id, secret.export_id)
    inodes, generations = range(256, secret.inode + 3), range(secret.generation + 3)
    for fsid, export_id in itertools.product(filesystems, exports):
        for inode, generation in itertools.product(inodes, generations):
            guess = own.forge(export_id=export_id, fsid=fsid, inode=inode, generation=generation)
            with contextlib.suppress(nfs4.NfsError):
                yield session.read(guess, 0, 100)


def test_where_a_filesystem_is_shared_the_same_forgery_reads(
    segment_factory: SegmentFactory, tmp_path: Path
) -> None:
    """X-1, the positive control: two exports of one btrfs, as no pool of ours makes them."""
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.btrfs", "-q", str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
    try:
        with Segment() as segment:
            world = make_world(segment, mounted)
            with world.raw(world.friend) as friend, world.raw(world.stranger) as stranger:
                secret = Handle.parse(stranger.lookup("/closed/secret"))
                with pytest.raises(nfs4.NfsError, match="ACCESS"):
                    friend.read(secret.pack(), 0, 100)
                assert friend.read(secret.forge(export_id=7), 0, 100) == b"secret\n"
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_no_path_leads_out_of_a_share(
    direct: Direct, mallory: ClientNs, mine: Shared, theirs: Theirs
) -> None:
    """D-S6: `..`, the parent of the root, symbolic links, and what the server's root lists."""
    guest, outside = direct.guests[0], direct.service.state / "etc/users"
    client = direct.mount(guest, mine, options="noac")
    links = {"absolute": str(outside), "relative": "../" * 12 + str(outside)[1:], "root": "/"}
    for name, to in links.items():
        guest.sh(f"ln -s {to} /mnt/share/{name}")
    # A client follows a link itself, and in its own file system there is no such file.
    for name in ("absolute", "relative", f"root{outside}"):
        assert "No such file" in client.read(f"/mnt/share/{name}").output
    with direct.raw(mallory) as session:
        root = session.lookup(mine.pseudo)
        for name in links:
            link = session.child(root, name)
            for attempt in (session.child, session.open):
                with pytest.raises(nfs4.NfsError, match=r"SYMLINK|NOTDIR|INVAL"):
                    attempt(link, "etc")
            with pytest.raises(nfs4.NfsError, match=r"SYMLINK|INVAL"):
                session.open(root, name)
            with pytest.raises(nfs4.NfsError, match=r"SYMLINK|INVAL"):
                session.read(link, 0, 100)
        for name in ("..", ".", "../..", "a/../.."):
            with pytest.raises(nfs4.NfsError, match=r"BADNAME|NOENT|INVAL|BADCHAR"):
                session.child(root, name)
        top = session.parent(root)
        assert [entry.name for entry in session.readdir(top)] == [mine.pseudo[1:]]
        with pytest.raises(nfs4.NfsError, match="NOENT"):
            session.child(top, theirs[0].pseudo[1:])
        with pytest.raises(nfs4.NfsError, match="NOENT"):
            session.parent(top)
    client.umount()


def test_deny_cuts_who_is_in_the_middle_of_it_and_nobody_else(direct: Direct) -> None:
    """D-I5, D-S3: an open file cannot be read any more; a writer on another share meets no error
    while rules come and go, by one and the same server process."""
    alice, bob = direct.guests
    server = direct.server_pid()
    others = direct.share(bob.nics[0].address)
    direct.mount(bob, others, options="sync")
    writer = Writer(bob, "/mnt/share")
    share = direct.share()
    rule = direct.api.allow(share.id, alice.nics[0].address)
    direct.mount(alice, share, "/mnt/denied")
    alice.sh("fallocate -l 64M /mnt/denied/file")
    reads = "echo 3 > /proc/sys/vm/drop_caches; head -c 4096 <&3 > /dev/null && echo > /tmp/read"
    job = alice.start(f"exec 3< /mnt/denied/file; while {reads}; do :; done")
    until(lambda: alice.sh("ls /tmp/read", check=False).rc == 0, "the first read")
    began = time.monotonic()
    direct.api.deny(share.id, rule["id"])
    refused = alice.result(job, CUT_SECONDS)
    print(f"a guest that reads was cut {time.monotonic() - began:.3f} s after the request")
    assert "head: standard input: " in refused.output, refused.output
    for host in range(100, 130):
        direct.api.allow(share.id, direct.segment.address(host))
    for rule in direct.api.rules(share.id):
        direct.api.deny(share.id, rule["id"])
    direct.api.delete_share(share.id)
    writer.wait_lines(1)
    assert writer.finish() > 1
    assert direct.server_pid() == server
    alice.sh("umount -l /mnt/denied")


def test_how_soon_an_open_file_is_cut(direct: Direct, mallory: ClientNs) -> None:
    """D-I5: measured by a client that asks all the time; other clients of the share go on."""
    share = direct.share(direct.segment.address(VICTIM))
    rule = direct.api.allow(share.id, mallory.ip)
    with direct.raw(mallory) as session:
        put(session, share, "open", MINE)
        file = session.open(session.lookup(share.pseudo), "open")
        cut: list[float] = []

        def read_on() -> None:
            with contextlib.suppress(nfs4.NfsError):
                while time.monotonic() < began + CUT_SECONDS:
                    session.read(file, 0, 100)
                return
            cut.append(time.monotonic())

        began = time.monotonic()
        reader = threading.Thread(target=read_on)
        reader.start()
        direct.api.deny(share.id, rule["id"])
        reader.join()
        assert cut, f"still reading {CUT_SECONDS} s after the rule was denied"
        print(f"an open file was cut {cut[0] - began:.3f} s after the request")
        with pytest.raises(nfs4.NfsError, match="ACCESS"):
            session.read(file, 0, 100)
