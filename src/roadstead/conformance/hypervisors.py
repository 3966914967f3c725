"""What every hypervisor driver must do: `drivers.base.compute.Hypervisor` as tests.

Inherit, with a fixture `bench` that gives a HypervisorBench whose VMs have no devices of ours.
"""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench, codes, ref
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.errors import Conflict, InUse, NotFound, RoadsteadError, Transient, Unsupported
from roadstead.model.ids import new_id


class HypervisorConformance:
    """The suite."""

    def test_a_vm_is_found_by_id_and_by_name(self, bench: HypervisorBench) -> None:
        vm = bench.vm(running=False, name="web-1", project_id="0123", ports=3)
        found = bench.guest("web-1")
        assert found == bench.guest(vm)
        assert found in bench.driver.guests()
        assert (found.id, found.name, found.project_id) == (vm, "web-1", "0123")
        assert not found.running
        assert found.persistent
        assert found.shared_memory
        assert found.tags == {}

    def test_an_unknown_vm(self, bench: HypervisorBench) -> None:
        assert bench.driver.find_guest("nobody") is None
        assert bench.driver.find_guest(new_id()) is None
        spec = bench.spec(new_id())
        for call in (bench.driver.ensure_attached, bench.driver.why_not, bench.driver.why_not_hot):
            with pytest.raises(NotFound):
                call(spec)
        for _ in range(2):
            bench.driver.ensure_detached(ref(spec))

    def test_a_name_is_no_id(self, bench: HypervisorBench) -> None:
        gone = new_id()
        bench.vm(running=False, name=gone)
        spec = bench.spec(gone)
        with pytest.raises(NotFound):
            bench.driver.ensure_attached(spec)
        assert bench.guest(gone).tags == {}

    # H-I1, H-I5
    def test_a_device_is_plugged_into_the_running_vm(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        spec, ports = bench.spec(vm), bench.guest(vm).free_ports
        assert bench.driver.why_not_hot(spec) == ()
        device = bench.driver.ensure_attached(spec)
        assert device == bench.driver.ensure_attached(spec)
        assert (device.plugged, device.tag, device.read_only) == ("both", spec.tag, False)
        assert device.locks == "not enforced"
        assert device.mount_command == f"mount -t virtiofs {spec.tag} /mnt"
        assert bench.mark(spec) == w.Mark(
            kind="device",
            id=spec.attachment_id,
            facts={
                "vm_id": vm,
                "tag": spec.tag,
                "source": spec.source,
                "driver": "virtiofs",
                "plugged": "both",
                "read_only": False,
            },
        )
        assert bench.guest(vm).tags == {spec.tag: spec.attachment_id}
        assert bench.guest(vm).free_ports == ports - 1

    # H-I2, H-I11
    def test_a_device_leaves_the_running_vm(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        gone, kept = bench.spec(vm), bench.spec(vm)
        ports = bench.guest(vm).free_ports
        for spec in (gone, kept):
            bench.driver.ensure_attached(spec)
        with pytest.raises(InUse):
            bench.mounts.ensure_unbound(gone.attachment_id)
        for _ in range(2):
            bench.driver.ensure_detached(ref(gone))
            assert bench.where(gone) is None
        bench.mounts.ensure_unbound(gone.attachment_id)
        assert bench.where(kept) == "both"
        assert bench.guest(vm).tags == {kept.tag: kept.attachment_id}
        assert bench.guest(vm).free_ports == ports - 1

    # H-I5
    def test_a_vm_that_is_off_gets_it_at_its_start(self, bench: HypervisorBench) -> None:
        vm = bench.vm(running=False)
        spec = bench.spec(vm)
        assert bench.driver.why_not_hot(spec) == ()
        assert bench.driver.ensure_attached(spec).plugged == "config"
        assert bench.where(spec) == "config"
        bench.start(vm)
        assert bench.where(spec) == "both"
        bench.stop(vm)
        assert bench.where(spec) == "config"
        for _ in range(2):
            bench.driver.ensure_detached(ref(spec))
            assert bench.where(spec) is None

    def test_a_cold_device_is_not_plugged_now(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        spec, ports = bench.spec(vm), bench.guest(vm).free_ports
        cold = msgspec.structs.replace(spec, live=False)
        assert bench.driver.ensure_attached(cold).plugged == "config"
        assert bench.guest(vm).free_ports == ports
        # What a killed call left half-done is completed.
        assert bench.driver.ensure_attached(spec).plugged == "both"
        assert bench.where(spec) == "both"

    @pytest.mark.parametrize("change", [{"tag": "other"}, {"cache": "auto"}, {"driver": "9p"}])
    def test_an_attachment_does_not_change(
        self, bench: HypervisorBench, change: dict[str, str]
    ) -> None:
        spec = bench.spec(bench.vm(running=False))
        bench.driver.ensure_attached(spec)
        with pytest.raises(Conflict):
            bench.driver.ensure_attached(msgspec.structs.replace(spec, **change))
        assert bench.guest(spec.vm_id).tags == {spec.tag: spec.attachment_id}

    # H-I3
    def test_a_tag_is_unique_in_its_vm(self, bench: HypervisorBench) -> None:
        vm, other_vm = bench.vm(running=False), bench.vm(running=False)
        first = bench.spec(vm, tag="data")
        bench.driver.ensure_attached(first)
        second = bench.spec(vm, tag="data")
        assert codes(bench.driver.why_not(second)) == ["tag-taken"]
        with pytest.raises(Conflict, match="data"):
            bench.driver.ensure_attached(second)
        bench.driver.ensure_attached(bench.spec(other_vm, tag="data"))
        bench.driver.ensure_detached(ref(first))
        bench.driver.ensure_attached(second)

    # H-I3
    @pytest.mark.parametrize(
        ("driver", "tag"),
        [
            ("virtiofs", ""),
            ("virtiofs", "x" * 37),
            ("virtiofs", "-o"),
            ("virtiofs", "a b"),
            ("virtiofs", "a,b"),
            ("virtiofs", "ä"),
            ("9p", "x" * 32),
        ],
    )
    def test_a_tag_fits_the_wire(self, bench: HypervisorBench, driver: str, tag: str) -> None:
        spec = bench.spec(bench.vm(running=False), driver=driver, tag=tag)
        assert codes(bench.driver.why_not(spec)) == ["tag"]
        with pytest.raises(Unsupported):
            bench.driver.ensure_attached(spec)
        longest = {"virtiofs": 36, "9p": 31}[driver]
        good = msgspec.structs.replace(spec, tag="x" * longest)
        assert bench.driver.ensure_attached(good).tag == good.tag

    # H-I4
    def test_virtiofs_needs_shared_memory(self, bench: HypervisorBench) -> None:
        spec = bench.spec(bench.vm(running=False, shared_memory=False))
        assert codes(bench.driver.why_not(spec)) == ["shared-memory"]
        with pytest.raises(Unsupported, match="memfd"):
            bench.driver.ensure_attached(spec)
        assert bench.where(spec) is None
        nine = msgspec.structs.replace(spec, driver="9p")
        assert bench.driver.ensure_attached(nine).plugged == "config"

    # H-I5
    def test_a_hot_device_needs_a_free_port(self, bench: HypervisorBench) -> None:
        vm = bench.vm(ports=1)
        first, second = bench.spec(vm), bench.spec(vm)
        bench.driver.ensure_attached(first)
        assert bench.guest(vm).free_ports == 0
        assert codes(bench.driver.why_not_hot(second)) == ["port"]
        assert bench.driver.why_not(second) == ()
        with pytest.raises(Unsupported, match="port"):
            bench.driver.ensure_attached(second)
        assert bench.where(second) is None
        bench.driver.ensure_detached(ref(first))
        assert bench.driver.ensure_attached(second).plugged == "both"

    def test_9p_is_cold(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        spec = bench.spec(vm, driver="9p")
        assert codes(bench.driver.why_not_hot(spec)) == ["9p-is-cold"]
        with pytest.raises(Unsupported, match="9p"):
            bench.driver.ensure_attached(spec)
        cold = msgspec.structs.replace(spec, live=False)
        device = bench.driver.ensure_attached(cold)
        assert (device.plugged, device.ids, device.locks) == ("config", "mapped", "not enforced")
        assert device.mount_command.startswith("mount -t 9p -o trans=virtio,version=9p2000.L,")
        bench.stop(vm)
        bench.start(vm)
        assert bench.where(spec) == "both"
        with pytest.raises(InUse):
            bench.mounts.ensure_unbound(spec.attachment_id)
        # The running VM keeps it; it is gone from the next start on.
        for _ in range(2):
            with pytest.raises(Transient, match=spec.tag):
                bench.driver.ensure_detached(ref(spec))
            assert bench.where(spec) == "live"
        bench.stop(vm)
        bench.driver.ensure_detached(ref(spec))
        assert bench.where(spec) is None

    def test_force_powers_the_vm_off(self, bench: HypervisorBench) -> None:
        vm = bench.vm(running=False)
        spec = bench.spec(vm, driver="9p")
        bench.driver.ensure_attached(spec)
        bench.start(vm)
        bench.driver.ensure_detached(ref(spec), force=True)
        assert bench.where(spec) is None
        assert not bench.guest(vm).running

    # H-I6
    @pytest.mark.parametrize("driver", ["virtiofs", "9p"])
    def test_read_only_is_not_left_to_the_guest(self, bench: HypervisorBench, driver: str) -> None:
        vm = bench.vm(running=False)
        writable = bench.spec(vm, driver=driver, read_only=True)
        with pytest.raises(Conflict, match="read-only"):
            bench.driver.ensure_attached(writable)
        assert bench.where(writable) is None
        spec = bench.spec(vm, driver=driver, read_only=True, bound_read_only=True)
        assert bench.driver.ensure_attached(spec).read_only
        mark = bench.mark(spec)
        assert mark is not None
        assert mark.facts["read_only"] is True

    def test_what_is_not_mounted_is_not_handed_over(self, bench: HypervisorBench) -> None:
        spec = bench.spec(bench.vm(running=False))
        bench.mounts.ensure_unbound(spec.attachment_id)
        with pytest.raises(NotFound):
            bench.driver.ensure_attached(spec)
        for source in ("/etc", spec.source.replace(spec.attachment_id, new_id())):
            with pytest.raises(RoadsteadError):
                bench.driver.ensure_attached(msgspec.structs.replace(spec, source=source))
        assert bench.where(spec) is None

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"driver": "floppy"}, "driver"),
            ({"cache": "sometimes"}, "cache"),
            ({"ids": "squash"}, "ids"),
            ({"driver": "9p", "cache": "always"}, "cache"),
            ({"driver": "9p", "ids": "translated"}, "ids"),
            ({"driver": "9p", "enforce_locks": True}, "locks"),
        ],
    )
    def test_what_cannot_be_expressed_is_refused(
        self, bench: HypervisorBench, change: dict[str, object], code: str
    ) -> None:
        spec = bench.spec(bench.vm(running=False), **change)
        assert codes(bench.driver.why_not(spec)) == [code]
        with pytest.raises(Unsupported):
            bench.driver.ensure_attached(spec)
        assert bench.where(spec) is None

    def test_what_the_daemon_can_do_is_told(self, bench: HypervisorBench) -> None:
        daemon = bench.driver.capabilities().virtiofsd
        assert daemon is not None
        vm = bench.vm(running=False)
        for feature, change, told in (
            ("locks", {"enforce_locks": True}, ("locks", "enforced")),
            ("translate-ids", {"ids": "translated"}, ("ids", "translated")),
            ("cache-metadata", {"cache": "metadata"}, ("cache", "metadata")),
        ):
            spec = bench.spec(vm, **change)
            if feature in daemon.features:
                assert getattr(bench.driver.ensure_attached(spec), told[0]) == told[1]
                bench.driver.ensure_attached(spec)
            else:
                with pytest.raises(Unsupported, match="virtiofsd"):
                    bench.driver.ensure_attached(spec)

    def test_a_dead_daemon_is_noticed(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        spec, other = bench.spec(vm), bench.spec(vm)
        for each in (spec, other):
            bench.driver.ensure_attached(each)
        bench.kill_daemon(spec.attachment_id)
        mark = bench.mark(spec)
        assert mark is not None
        assert mark.broken
        assert "virtiofsd" in mark.broken
        assert bench.where(other) == "both"
        bench.stop(vm)
        assert bench.where(spec) == "config"
        bench.start(vm)
        assert bench.where(spec) == "both"

    def test_changes_are_told(self, bench: HypervisorBench) -> None:
        vm = bench.vm()
        spec = bench.spec(vm)
        bench.driver.ensure_attached(spec)
        wait = bench.driver.wait_for_change
        with ThreadPoolExecutor(1) as pool:
            for change in (
                lambda: bench.kill_daemon(spec.attachment_id),
                lambda: bench.driver.ensure_detached(ref(spec)),
                lambda: bench.stop(vm),
            ):
                seen = wait(-1, 0)
                waiting = pool.submit(wait, seen, 60)
                change()
                assert waiting.result() != seen
        # In the end nothing happens, and the wait ends all the same.
        assert wait(wait(-1, 0), 0.01) >= 0

    def test_a_device_without_its_daemon_can_leave(self, bench: HypervisorBench) -> None:
        spec = bench.spec(bench.vm())
        bench.driver.ensure_attached(spec)
        bench.kill_daemon(spec.attachment_id)
        bench.driver.ensure_detached(ref(spec))
        assert bench.where(spec) is None
        bench.mounts.ensure_unbound(spec.attachment_id)

    def test_a_vm_that_went_took_its_devices(self, bench: HypervisorBench) -> None:
        spec = bench.spec(bench.vm())
        bench.driver.ensure_attached(spec)
        bench.remove(spec.vm_id)
        assert bench.mark(spec) is None
        bench.driver.ensure_detached(ref(spec))
        bench.mounts.ensure_unbound(spec.attachment_id)

    def test_of_two_at_once_one_gets_the_tag(self, bench: HypervisorBench) -> None:
        vm = bench.vm(running=False)
        specs = [bench.spec(vm, tag="data") for _ in range(4)]

        def attach(spec: h.DeviceSpec) -> bool:
            try:
                bench.driver.ensure_attached(spec)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(len(specs)) as pool:
            assert list(pool.map(attach, specs)).count(True) == 1
        assert len([spec for spec in specs if bench.where(spec)]) == 1

    def test_the_inventory_can_be_read_while_it_changes(self, bench: HypervisorBench) -> None:
        vm, other = bench.vm(running=False), bench.vm(running=False)
        kept, coming = bench.spec(vm), bench.spec(other)
        bench.driver.ensure_attached(kept)

        def change() -> None:
            for _ in range(10):
                bench.driver.ensure_attached(coming)
                bench.driver.ensure_detached(ref(coming))

        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(change)
            while not changing.done():
                assert bench.where(kept) == "config"
            changing.result()
        assert bench.where(coming) is None
