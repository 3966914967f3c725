"""The hypervisor suite on our own drivers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench
from roadstead.conformance.hypervisors import HypervisorConformance
from roadstead.drivers.compute.memory import MemoryMounts
from roadstead.drivers.hypervisor.memory import MemoryHypervisor
from roadstead.model.errors import Transient
from tests.conformance.libvirt_lab import LibvirtLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.build import Image


class TestMemoryHypervisor(HypervisorConformance):
    @pytest.fixture
    def bench(self) -> HypervisorBench:
        mounts, numbers = MemoryMounts(MemoryMounts.Options()), itertools.count(1)
        driver = MemoryHypervisor(MemoryHypervisor.Options(), mounts=mounts)

        def vm(*, name: str = "", ports: int = 4, **options: object) -> str:
            chosen = name or f"vm-{next(numbers)}"
            return driver.add_guest(chosen, ports=ports, **options)  # type: ignore[arg-type]

        return HypervisorBench(
            driver=driver,
            mounts=mounts,
            make_source=lambda: f"/shares/{next(numbers)}",
            vm=vm,
            start=driver.start,
            stop=driver.stop,
            remove=driver.remove,
            kill_daemon=driver.kill_daemon,
        )

    def test_it_fails_where_a_test_wants_it(self, bench: HypervisorBench) -> None:
        driver = bench.driver
        assert isinstance(driver, MemoryHypervisor)
        driver.fail["guests"] = Transient("not now")
        with pytest.raises(Transient, match="not now"):
            driver.guests()
        del driver.fail["guests"]
        assert driver.guests() == []


@pytest.fixture(scope="module")
def lab(lab_image: Image) -> Iterator[LibvirtLab]:
    with LibvirtLab(lab_image) as lab:
        yield lab


# One libvirtd and one guest serve the whole class.
@pytest.mark.real
@pytest.mark.vm
@pytest.mark.xdist_group("libvirt")
class TestLibvirt(HypervisorConformance):
    @pytest.fixture
    def bench(self, lab: LibvirtLab) -> Iterator[HypervisorBench]:
        yield lab.bench()
        lab.clean()
