"""What every driver for the mounts of a compute host must do: `base_compute.HostMounts` as tests.

Inherit, with a fixture `bench` that gives a MountBench whose driver has no mounts yet.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from roadstead.drivers.base.compute import HostMounts
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.errors import BadRequest, Conflict, InUse, NotFound, Unsupported
from roadstead.model.ids import new_id

NOT_IDS = ("", "x", "../../etc", "..", "/etc")


@dataclass
class MountBench:
    """A driver and where to get shares from."""

    driver: HostMounts
    make_source: Callable[[], str]  # a local directory on which a share is mounted

    def mount_spec(self, **changes: str) -> h.MountSpec:
        values = {
            "instance_id": new_id(),
            "level": "rw",
            "kind": "bind",
            "source": changes.get("source") or self.make_source(),
        }
        return h.MountSpec(**(values | changes))

    def mounted(self, level: str = "rw") -> tuple[h.MountSpec, str]:
        spec = self.mount_spec(level=level)
        return spec, self.driver.ensure_mounted(spec)

    def found(self, kind: str) -> dict[str, w.Mark]:
        return {mark.id: mark for mark in self.driver.inventory() if mark.kind == kind}


def bind_of(mount: str, **changes: object) -> h.BindSpec:
    values: dict[str, object] = {"attachment_id": new_id(), "mount": mount, "read_only": False}
    return h.BindSpec(**(values | changes))  # type: ignore[arg-type]


class MountConformance:
    """The suite."""

    def test_mounting_twice_is_mounting_once(self, bench: MountBench) -> None:
        spec, path = bench.mounted()
        assert bench.driver.ensure_mounted(spec) == path
        (mark,) = bench.driver.inventory()
        assert (mark.kind, mark.id, mark.broken) == ("mount", f"{spec.instance_id}/rw", None)
        assert mark.facts["instance_id"] == spec.instance_id
        assert mark.facts["users"] == []

    def test_each_level_has_a_mount_of_its_own(self, bench: MountBench) -> None:
        spec, path = bench.mounted()
        other = bench.mount_spec(instance_id=spec.instance_id, source=spec.source, level="ro")
        assert bench.driver.ensure_mounted(other) != path
        bench.driver.ensure_unmounted(spec.instance_id, "rw")
        assert list(bench.found("mount")) == [f"{spec.instance_id}/ro"]

    def test_what_is_unknown_is_absent(self, bench: MountBench) -> None:
        spec, path = bench.mounted()
        kept = bench.driver.ensure_bound(bind_of(path))
        for _ in range(2):
            bench.driver.ensure_unmounted(new_id(), "rw")
            bench.driver.ensure_unmounted(spec.instance_id, "ro")
            bench.driver.ensure_unbound(new_id())
        assert len(bench.found("mount")) == len(bench.found("bind")) == 1
        assert kept.startswith(path.removesuffix("mount"))

    def test_an_attachment_has_a_view_of_its_own(self, bench: MountBench) -> None:
        _, path = bench.mounted()
        spec = bind_of(path, read_only=True)
        bound = bench.driver.ensure_bound(spec)
        assert bench.driver.ensure_bound(spec) == bound
        assert bound.rpartition("/")[2] == spec.attachment_id
        facts = bench.found("bind")[spec.attachment_id].facts
        assert facts == {"mount": path, "read_only": True}

    def test_there_is_no_view_of_a_share_that_is_not_mounted(self, bench: MountBench) -> None:
        spec, path = bench.mounted()
        bench.driver.ensure_unmounted(spec.instance_id, "rw")
        with pytest.raises(NotFound):
            bench.driver.ensure_bound(bind_of(path))
        assert list(bench.driver.inventory()) == []

    # H-I6
    def test_no_view_may_do_more_than_its_mount(self, bench: MountBench) -> None:
        _, path = bench.mounted("ro")
        with pytest.raises(Conflict):
            bench.driver.ensure_bound(bind_of(path))
        bench.driver.ensure_bound(bind_of(path, read_only=True))
        assert len(bench.found("bind")) == 1

    def test_a_view_does_not_change_its_level(self, bench: MountBench) -> None:
        _, path = bench.mounted()
        spec = bind_of(path, read_only=True)
        bench.driver.ensure_bound(spec)
        with pytest.raises(Conflict):
            bench.driver.ensure_bound(bind_of(path, attachment_id=spec.attachment_id))
        assert bench.found("bind")[spec.attachment_id].facts["read_only"] is True

    def test_an_attachment_has_one_share(self, bench: MountBench) -> None:
        (_, one), (_, two) = bench.mounted(), bench.mounted()
        spec = bind_of(one)
        bench.driver.ensure_bound(spec)
        with pytest.raises(Conflict):
            bench.driver.ensure_bound(bind_of(two, attachment_id=spec.attachment_id))

    # H-I11
    def test_a_share_stays_mounted_for_the_second_of_two(self, bench: MountBench) -> None:
        spec, path = bench.mounted()
        one, two = bind_of(path), bind_of(path)
        for each in (one, two):
            bench.driver.ensure_bound(each)
        with pytest.raises(InUse):
            bench.driver.ensure_unmounted(spec.instance_id, "rw")
        bench.driver.ensure_unbound(one.attachment_id)
        with pytest.raises(InUse):
            bench.driver.ensure_unmounted(spec.instance_id, "rw")
        (mark,) = bench.found("mount").values()
        assert mark.facts["users"] == [two.attachment_id]
        bench.driver.ensure_unbound(two.attachment_id)
        bench.driver.ensure_unmounted(spec.instance_id, "rw")
        assert list(bench.driver.inventory()) == []

    def test_everything_can_go_at_once(self, bench: MountBench) -> None:
        _, path = bench.mounted()
        bench.mounted("ro")
        bench.driver.ensure_bound(bind_of(path))
        bench.driver.ensure_bound(bind_of(path, read_only=True))
        for _ in range(2):
            bench.driver.ensure_all_unmounted()
            assert list(bench.driver.inventory()) == []
        bench.driver.ensure_ready()
        bench.driver.ensure_bound(bind_of(bench.mounted()[1]))

    def test_a_share_that_moved_is_mounted_from_its_new_source(self, bench: MountBench) -> None:
        old, path = bench.mounted()
        new = bench.mount_spec(instance_id=old.instance_id)
        assert bench.driver.ensure_mounted(new) == path
        bench.driver.ensure_bound(bind_of(path))
        with pytest.raises(Conflict):
            bench.driver.ensure_mounted(bench.mount_spec(instance_id=old.instance_id))
        assert bench.driver.ensure_mounted(new) == path

    def test_an_unknown_kind_is_refused(self, bench: MountBench) -> None:
        with pytest.raises(Unsupported):
            bench.driver.ensure_mounted(bench.mount_spec(kind="carrier-pigeon"))
        assert not [mark for mark in bench.driver.inventory() if mark.broken is None]

    # H-I7
    @pytest.mark.parametrize("part", ["..", "../..", "/", "/etc", "there/../.."])
    def test_no_subdirectory_leads_out(self, bench: MountBench, part: str) -> None:
        _, path = bench.mounted()
        with pytest.raises(NotFound):
            bench.driver.ensure_bound(bind_of(path, subdirectory=part))
        assert not [mark for mark in bench.found("bind").values() if mark.broken is None]

    @pytest.mark.parametrize("bad", NOT_IDS)
    def test_only_ids_become_paths(self, bench: MountBench, bad: str) -> None:
        _, path = bench.mounted()
        with pytest.raises(BadRequest):
            bench.driver.ensure_mounted(bench.mount_spec(instance_id=bad))
        with pytest.raises(BadRequest):
            bench.driver.ensure_bound(bind_of(path, attachment_id=bad))
        with pytest.raises(BadRequest):
            bench.driver.ensure_bound(bind_of("/etc/mount"))
