"""Shares in the file tree of a real host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.host_mounts import bind_of
from roadstead.drivers.compute.local import LocalMounts
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host.nfs import means
from roadstead.model import hosts as h
from roadstead.model.errors import BadRequest, InUse, NotFound, Transient, Unsupported
from roadstead.model.ids import new_id
from tests.conformance.local_mounts import Shares, local_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real


@pytest.fixture
def shares(tmp_path: Path) -> Iterator[Shares]:
    with Shares(tmp_path / "pool") as shares:
        yield shares


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[LocalMounts]:
    with local_mounts(tmp_path / "compute") as driver:
        yield driver


def mounted(driver: LocalMounts, source: Path, level: str = "rw") -> Path:
    spec = h.MountSpec(instance_id=new_id(), level=level, kind="bind", source=str(source))
    return Path(driver.ensure_mounted(spec))


def bound(driver: LocalMounts, mount: Path, **changes: object) -> Path:
    return Path(driver.ensure_bound(bind_of(str(mount), **changes)))


def writable(path: Path) -> bool:
    try:
        (path / "attempt").write_text("x")
    except OSError:
        return False
    return True


# H-I6
def test_each_level_holds(driver: LocalMounts, shares: Shares) -> None:
    source = shares.make()
    (source / "file").write_text("kept")
    rw, ro = mounted(driver, source), mounted(driver, source, "ro")
    assert writable(bound(driver, rw))
    for view in (ro, bound(driver, rw, read_only=True), bound(driver, ro, read_only=True)):
        assert not writable(view)
        assert (view / "file").read_text() == "kept"


# H-I8
def test_no_mount_gives_rights_on_the_host(driver: LocalMounts, shares: Shares) -> None:
    rw = mounted(driver, shares.make())
    for point in (rw, bound(driver, rw), bound(driver, rw, read_only=True)):
        seen = table.at(point)
        assert seen is not None
        assert {"nosuid", "nodev", "noexec"} <= seen.options


# H-I7
def test_a_subdirectory_is_reached_without_links(
    driver: LocalMounts, shares: Shares, tmp_path: Path
) -> None:
    source = shares.make()
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "file").write_text("inside")
    (source / "out").symlink_to(tmp_path)
    (source / "a" / "up").symlink_to("..")
    (source / "plain").write_text("")
    mount = mounted(driver, source)
    view = bound(driver, mount, subdirectory="a/b")
    assert os.listdir(view) == ["file"]
    for part in ("out", "a/up", "a/up/a", "plain", "nowhere", "a/../..", str(tmp_path)):
        with pytest.raises(NotFound):
            bound(driver, mount, subdirectory=part)


# H-I7
def test_later_mounts_stay_outside(driver: LocalMounts, shares: Shares) -> None:
    source = shares.make()
    (source / "below").mkdir()
    view = bound(driver, mounted(driver, source))
    subprocess.run(["mount", "-t", "tmpfs", "later", source / "below"], check=True)
    try:
        (source / "below" / "secret").write_text("x")
        assert os.listdir(view / "below") == []
        assert os.listdir(bound(driver, mounted(driver, source)) / "below") == []
    finally:
        subprocess.run(["umount", source / "below"], check=True)


def test_older_namespaces_see_later_mounts(driver: LocalMounts, shares: Shares) -> None:
    """As libvirtd is in one, where something has made it a mount namespace of its own."""
    argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", "echo; read _; cat $0/file"]
    spec = h.MountSpec(instance_id=new_id(), level="rw", kind="bind", source=str(shares.make()))
    (Path(spec.source) / "file").write_text("seen")
    point = driver.layout.mount(spec.instance_id, "rw")
    with subprocess.Popen(
        [*argv, point], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"  # the namespace is made
        driver.ensure_mounted(spec)
        out, _ = process.communicate("\n", timeout=20)
    assert out == "seen"


def test_nobody_else_on_the_host_gets_in(driver: LocalMounts, shares: Shares) -> None:
    source = shares.make()
    (source / "public").write_text("x")
    view = bound(driver, mounted(driver, source))
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", view / "public"]
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
    assert driver.layout.directory.stat().st_mode & 0o777 == 0o700


def test_a_new_agent_finds_everything(driver: LocalMounts, shares: Shares) -> None:
    # H-I12
    source = shares.make()
    spec = h.MountSpec(instance_id=new_id(), level="rw", kind="bind", source=str(source))
    bind = bind_of(driver.ensure_mounted(spec), read_only=True)
    driver.ensure_bound(bind)
    before, table_before = list(driver.inventory()), table.read()
    successor = LocalMounts(LocalMounts.Options(directory=str(driver.layout.directory)))
    successor.ensure_ready()
    assert successor.ensure_mounted(spec) == bind.mount
    successor.ensure_bound(bind)
    assert list(successor.inventory()) == before
    assert table.read() == table_before


def test_after_a_reboot_what_is_missing_is_told(driver: LocalMounts, shares: Shares) -> None:
    # H-I12
    mount = mounted(driver, shares.make())
    view = bound(driver, mount)
    for point in (view, mount):
        subprocess.run(["umount", point], check=True)
    assert {mark.broken for mark in driver.inventory()} == {"not mounted"}
    driver.ensure_unbound(view.name)
    driver.ensure_unmounted(mount.parent.parent.name, "rw")
    assert list(driver.inventory()) == []


def test_a_share_whose_pool_is_down_is_not_mounted(driver: LocalMounts, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(Transient, match="nothing is mounted"):
        mounted(driver, tmp_path / "plain")


def test_what_is_open_stays(driver: LocalMounts, shares: Shares) -> None:
    mount = mounted(driver, shares.make())
    view = bound(driver, mount)
    (view / "file").write_text("x")
    with (view / "file").open(), pytest.raises(InUse):
        driver.ensure_unbound(view.name)
    driver.ensure_unbound(view.name)
    assert not view.exists()


def test_what_is_open_stays_when_all_the_rest_goes(driver: LocalMounts, shares: Shares) -> None:
    held, free = (bound(driver, mounted(driver, shares.make())) for _ in range(2))
    (held / "file").write_text("x")
    with (held / "file").open(), pytest.raises(InUse):
        driver.ensure_all_unmounted()
    assert (held / "file").read_text() == "x"
    assert not free.exists()
    driver.ensure_all_unmounted()
    below = [point for point in table.read() if point.startswith(str(driver.layout.directory))]
    assert below == []


def test_only_nfs_paths_are_nfs_paths(driver: LocalMounts) -> None:
    for source in ("", "host", "-o:/x", "host:/x y", "host:x", "host:/x,y", "ho st:/x", "a;b:/x"):
        spec = h.MountSpec(instance_id=new_id(), level="rw", kind="nfs", source=source)
        with pytest.raises((BadRequest, Unsupported)):
            driver.ensure_mounted(spec)
    assert all(mark.broken for mark in driver.inventory())


def test_the_kernels_client_gets_the_flags_that_protect_the_host(
    driver: LocalMounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This kernel may have no NFS client: what is run is looked at instead."""
    said = tmp_path / "said"
    program = tmp_path / "bin" / "mount.nfs4"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\nexit 32\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    facts = h.MountFacts(nfs_client="kernel", cephfs_client=None)
    monkeypatch.setattr(means, "facts", lambda: facts)
    spec = h.MountSpec(instance_id=new_id(), level="ro", kind="nfs", source="[fd00::1]:/share-x")
    with pytest.raises(Transient):
        driver.ensure_mounted(spec)
    source, point, _, options = said.read_text().splitlines()
    assert source == spec.source
    assert point == str(driver.layout.mount(spec.instance_id, "ro"))
    assert options.split(",") == ["nosuid", "nodev", "noexec", "ro", "vers=4.1", "hard"]
