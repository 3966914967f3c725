"""A share of a remote server, mounted by the kernel's own NFS client.

The server is our NFS-Ganesha in a namespace of its own, from which the compute host mounts.
Where this kernel has no client, a guest's has (test_another_kernel.py).
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from roadstead.conformance.host_mounts import bind_of
from roadstead.drivers.compute.local import LocalMounts
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host.nfs import means
from roadstead.model import hosts as h
from roadstead.model.errors import Transient
from roadstead.model.ids import pseudo_path
from tests.conformance.ganesha_bench import CONTENT, SERVER, GaneshaLab, rule
from tests.conformance.local_mounts import local_mounts
from tests.lab.netns import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadstead.conformance.exports import ExportBench
    from roadstead.model.world import ExportSpec

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("nfs-kernel")]
T = TypeVar("T")


@dataclass
class World:
    """A server, and a compute host beside it."""

    lab: GaneshaLab
    bench: ExportBench
    driver: LocalMounts

    def spec(self, export: ExportSpec, level: str = "rw") -> h.MountSpec:
        source = f"{SERVER}:{pseudo_path(export.instance_id)}"
        return h.MountSpec(instance_id=export.instance_id, level=level, kind="nfs", source=source)

    def on_host(self, call: Callable[[], T]) -> T:
        return in_thread(self.lab.netns, call)

    def mounted(self, export: ExportSpec, level: str = "rw") -> Path:
        spec = self.spec(export, level)
        return Path(self.on_host(lambda: self.driver.ensure_mounted(spec)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if means.facts().nfs_client != "kernel":
        pytest.skip("NOT TESTED on this kernel: it has no NFS client, or there is no mount.nfs4")
    directory = tmp_path_factory.mktemp("nfs") / "compute"
    with GaneshaLab() as lab, local_mounts(directory) as driver:
        yield World(lab, lab.bench(), driver)


@pytest.fixture
def export(world: World) -> ExportSpec:
    """It admits this host."""
    return world.bench.exported(rule(SERVER))


def test_mounted_once_with_the_flags_that_protect_the_host(
    world: World, export: ExportSpec
) -> None:
    """H-I1, H-I8: by NFS 4.1, hard; files come and go."""
    mount = world.mounted(export)
    assert world.mounted(export) == mount
    seen = table.at(mount)
    assert seen is not None
    assert (seen.fstype, seen.source) == ("nfs4", world.spec(export).source)
    assert {"nosuid", "nodev", "noexec", "rw"} <= seen.options
    line = next(x for x in Path("/proc/mounts").read_text().splitlines() if str(mount) in x)
    assert {"vers=4.1", "hard"} <= set(line.split()[3].split(","))
    assert [m.broken for m in world.driver.inventory() if m.id.startswith(export.instance_id)] == [
        None
    ]
    assert (mount / "file").read_bytes() == CONTENT
    (mount / "new").write_bytes(b"x" * (1 << 20))
    assert Path(export.path, "new").stat().st_size == 1 << 20
    (mount / "new").rename(mount / "other")
    (mount / "other").unlink()
    assert [p.name for p in Path(export.path).iterdir()] == ["file"]


def test_each_level_holds(world: World, export: ExportSpec) -> None:
    """H-I6: on the host, whatever the server would allow."""
    view = world.driver.ensure_bound(bind_of(str(world.mounted(export)), read_only=True))
    for point in (world.mounted(export, "ro"), Path(view)):
        with pytest.raises(OSError, match="Read-only"):
            (point / "new").write_text("x")
        assert (point / "file").read_bytes() == CONTENT
    assert (world.mounted(export) / "file").write_bytes(CONTENT)


def test_who_is_not_admitted_yet_gets_in_later(world: World) -> None:
    """H-S1: Transient until the server's rule is there."""
    export = world.bench.exported()
    spec = world.spec(export)
    with pytest.raises(Transient):
        world.on_host(lambda: world.driver.ensure_mounted(spec))
    assert table.at(world.driver.layout.mount(spec.instance_id, "rw")) is None
    world.bench.allow(export, [rule(SERVER)])
    assert (world.mounted(export) / "file").read_bytes() == CONTENT


def test_a_new_agent_finds_it_and_takes_it_away(world: World, export: ExportSpec) -> None:
    """H-I12, H-I2."""
    mount = world.mounted(export)
    bind = bind_of(str(mount))
    world.driver.ensure_bound(bind)
    before = table.at(mount)
    successor = LocalMounts(LocalMounts.Options(directory=str(world.driver.layout.directory)))
    spec = world.spec(export)
    assert world.on_host(lambda: successor.ensure_mounted(spec)) == str(mount)
    assert table.at(mount) == before
    successor.ensure_unbound(bind.attachment_id)
    successor.ensure_unmounted(export.instance_id, "rw")
    assert table.at(mount) is None
    assert not mount.exists()


def test_a_mount_that_was_taken_away_is_made_again(world: World, export: ExportSpec) -> None:
    """H-I12."""
    mount = world.mounted(export)
    subprocess.run(["umount", mount], check=True)
    marks = {mark.id: mark.broken for mark in world.driver.inventory()}
    assert marks[f"{export.instance_id}/rw"] == "not mounted"
    assert (world.mounted(export) / "file").read_bytes() == CONTENT
