"""A libvirtd and a running guest for the tests of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.libvirt_lab import LibvirtLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.conformance.hypervisor_bench import HypervisorBench
    from tests.lab.build import Image
    from tests.lab.domain import Domain


@pytest.fixture(scope="module")
def lab(lab_image: Image) -> Iterator[LibvirtLab]:
    with LibvirtLab(lab_image) as lab:
        yield lab


@pytest.fixture
def bench(lab: LibvirtLab) -> Iterator[HypervisorBench]:
    yield lab.bench()
    lab.clean()


@pytest.fixture
def guest(lab: LibvirtLab, bench: HypervisorBench) -> Domain:
    """A running guest without devices and without any network."""
    return lab.domains[bench.vm()]
