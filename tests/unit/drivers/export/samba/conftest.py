"""A real Samba for the tests of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.samba_bench import SambaLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.conformance.exports import ExportBench


@pytest.fixture(scope="module")
def lab() -> Iterator[SambaLab]:
    with SambaLab() as lab:
        yield lab


@pytest.fixture
def bench(lab: SambaLab) -> Iterator[ExportBench]:
    bench = lab.smb_bench()
    yield bench
    bench.driver.ensure_server_absent(bench.place)
