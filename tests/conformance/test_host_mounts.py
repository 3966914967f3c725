"""The suite for a compute host's mounts on our own drivers."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.conformance.host_mounts import MountBench, MountConformance
from roadstead.drivers.compute.memory import MemoryMounts
from tests.conformance.local_mounts import Shares, local_mounts


class TestMemoryMounts(MountConformance):
    @pytest.fixture
    def bench(self) -> MountBench:
        numbers = itertools.count(1)
        return MountBench(MemoryMounts(MemoryMounts.Options()), lambda: f"/shares/{next(numbers)}")


@pytest.mark.real
class TestLocalMounts(MountConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[MountBench]:
        with Shares(tmp_path / "pool") as shares, local_mounts(tmp_path / "compute") as mounts:
            yield MountBench(mounts, lambda: str(shares.make()))
