"""A real Ganesha for the tests of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.ganesha_bench import GaneshaLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.conformance.exports import ExportBench


@pytest.fixture(scope="module")
def lab() -> Iterator[GaneshaLab]:
    with GaneshaLab() as lab:
        yield lab


@pytest.fixture
def bench(lab: GaneshaLab) -> Iterator[ExportBench]:
    bench = lab.bench()
    yield bench
    bench.driver.ensure_server_absent(bench.place)
