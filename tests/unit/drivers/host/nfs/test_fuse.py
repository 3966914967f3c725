"""A share of a remote server, mounted by FUSE on a host whose kernel has no NFS client.

The server is an NFS-Ganesha on a segment; this host is one address of that segment.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from roadstead.conformance.host_mounts import bind_of
from roadstead.drivers.compute.local import LocalMounts
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host.nfs import fuse_process
from roadstead.model import hosts as h
from roadstead.model.errors import Transient
from roadstead.model.ids import new_id
from tests.conformance.libvirt_lab import end
from tests.conformance.local_mounts import Shares, local_mounts
from tests.lab.netns import in_thread
from tests.lab.nfs3 import URL_OPTIONS, Nfs3Server
from tests.lab.segment import ClientNs, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("nfs-fuse")]
HOST, OTHER = 10, 99
T = TypeVar("T")


@dataclass
class World:
    """A server with one share, and a compute host on its network."""

    segment: Segment
    server: Nfs3Server
    share: Path
    host: ClientNs
    driver: LocalMounts

    def spec(self, level: str = "rw") -> h.MountSpec:
        source = f"{self.segment.server}:/share"
        return h.MountSpec(instance_id=new_id(), level=level, kind="fuse-nfs", source=source)

    def on_host(self, call: Callable[[], T]) -> T:
        return in_thread(self.host.netns, call)

    def mounted(self, level: str = "rw") -> Path:
        spec = self.spec(level)
        return Path(self.on_host(lambda: self.driver.ensure_mounted(spec)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("fuse")
    with Segment() as segment, Shares(directory / "pool") as shares:
        share = shares.make()
        server = Nfs3Server(segment, directory / "nfs", share)
        server.start([segment.address(HOST)])
        with local_mounts(directory / "compute"):
            driver = LocalMounts(
                LocalMounts.Options(directory=str(directory / "compute"), fuse_options=URL_OPTIONS)
            )
            yield World(segment, server, share, segment.client_ns(HOST), driver)


@pytest.fixture(autouse=True)
def _clean(world: World) -> Iterator[None]:
    world.server.admit([world.segment.address(HOST)])
    yield
    for kind in ("bind", "mount"):
        for mark in [mark for mark in world.driver.inventory() if mark.kind == kind]:
            if kind == "bind":
                world.driver.ensure_unbound(mark.id)
            else:
                world.driver.ensure_unmounted(*mark.id.split("/"))


def test_files_come_and_go(world: World) -> None:
    mount = world.mounted()
    (world.share / "there").write_text("from the server")
    assert (mount / "there").read_text() == "from the server"
    (mount / "d").mkdir()
    (mount / "d" / "new").write_bytes(os.urandom(3 << 20))
    assert (mount / "d" / "new").read_bytes() == (world.share / "d" / "new").read_bytes()
    (mount / "d" / "new").rename(mount / "renamed")
    os.truncate(mount / "renamed", 5)
    os.link(mount / "renamed", mount / "second")
    os.symlink("renamed", mount / "link")
    os.mkfifo(mount / "fifo")
    os.utime(mount / "renamed", (1, 2))
    found = (world.share / "renamed").stat()
    assert (found.st_size, found.st_nlink, found.st_atime, found.st_mtime) == (5, 2, 1, 2)
    assert os.readlink(world.share / "link") == "renamed"
    assert stat.S_ISFIFO((world.share / "fifo").stat().st_mode)
    (mount / "d").rmdir()
    assert {"fifo", "link", "renamed", "second", "there"} <= set(os.listdir(mount))
    with pytest.raises(PermissionError):
        os.mknod(mount / "disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0))


def test_what_others_write_is_seen_at_once(world: World) -> None:
    # H-S2
    mine, theirs = world.mounted(), world.mounted()
    for number in range(20):
        text = "x" * (number * 100 + 1)
        (theirs / "changing").write_text(text)
        assert (mine / "changing").stat().st_size == len(text)
        assert (mine / "changing").read_text() == text


def test_a_file_opened_anew_for_writing_is_empty_first(world: World) -> None:
    mount = world.mounted()
    for text in ("long, and then", "short", ""):
        (mount / "again").write_text(text)
        assert (world.share / "again").read_text() == text


def test_the_share_has_its_own_size(world: World) -> None:
    mount = world.mounted()
    (mount / "sized").write_bytes(b"x" * (1 << 20))
    seen = os.statvfs(mount)
    assert seen.f_blocks * seen.f_frsize == 64 << 20
    assert seen.f_bavail < seen.f_blocks


def test_a_file_belongs_to_who_made_it(world: World) -> None:
    mount = world.mounted()
    mount.chmod(0o777)
    (mount / "group").mkdir()
    os.chown(mount / "group", 0, 4242)
    (mount / "group").chmod(0o2777)
    drop = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--"]
    # The directory of all mounts is closed to others: the share is entered before.
    for name in ("own", "group/own"):
        subprocess.run([*drop, "touch", name], cwd=mount, check=True)
    owners = [(world.share / name).stat() for name in ("own", "group/own")]
    assert [(found.st_uid, found.st_gid) for found in owners] == [(1000, 1000), (1000, 4242)]
    mount.chmod(0o755)


# H-I6
def test_read_only_holds(world: World) -> None:
    (world.share / "kept").write_text("kept")
    for view in (
        world.mounted("ro"),
        Path(world.driver.ensure_bound(bind_of(str(world.mounted()), read_only=True))),
    ):
        with pytest.raises(OSError) as refused:  # noqa: PT011
            (view / "new").write_text("x")
        assert refused.value.errno == errno.EROFS
        assert (view / "kept").read_text() == "kept"


# H-S1
def test_the_servers_rule_is_about_this_host(world: World) -> None:
    mount = world.mounted()
    (mount / "secret").write_text("secret")
    assert (mount / "secret").read_text() == "secret"
    world.server.admit([world.segment.address(OTHER)])
    with pytest.raises(OSError) as refused:  # noqa: PT011
        (mount / "secret").read_text()
    assert refused.value.errno == errno.EIO
    spec = world.spec()
    with pytest.raises(Transient):
        world.on_host(lambda: world.driver.ensure_mounted(spec))
    # A host that is let in later gets in then.
    world.server.admit([world.segment.address(HOST)])
    assert Path(world.on_host(lambda: world.driver.ensure_mounted(spec)), "secret").exists()


def test_a_mount_outlives_the_agent_and_is_found_again(world: World) -> None:
    # H-I12
    spec = world.spec()
    path = Path(world.on_host(lambda: world.driver.ensure_mounted(spec)))
    pids = fuse_process.find(path)
    assert os.getsid(pids[0]) != os.getsid(0)
    successor = LocalMounts(
        LocalMounts.Options(directory=str(world.driver.layout.directory), fuse_options=URL_OPTIONS)
    )
    assert world.on_host(lambda: successor.ensure_mounted(spec)) == str(path)
    assert fuse_process.find(path) == pids
    successor.ensure_unmounted(spec.instance_id, "rw")
    assert fuse_process.find(path) == []
    assert table.at(path) is None


def test_a_mount_whose_process_died_is_made_again(world: World) -> None:
    # H-I12
    spec = world.spec()
    path = Path(world.on_host(lambda: world.driver.ensure_mounted(spec)))
    (path / "lasting").write_text("x")
    for pid in fuse_process.find(path):
        end(pid)
    (mark,) = world.driver.inventory()
    assert mark.broken == "its FUSE process is dead"
    world.on_host(lambda: world.driver.ensure_mounted(spec))
    assert (path / "lasting").read_text() == "x"
    (mark,) = world.driver.inventory()
    assert mark.broken is None
