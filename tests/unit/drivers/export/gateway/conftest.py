"""A tenant's network, a filer's, and a gateway between them, for the tests of this directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.gateway_bench import GatewayLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.gateway_bench import GatewayBench


@pytest.fixture(scope="module")
def lab() -> Iterator[GatewayLab]:
    with GatewayLab() as lab:
        yield lab


@pytest.fixture
def bench(lab: GatewayLab) -> Iterator[GatewayBench]:
    with lab.bench() as bench:
        yield bench
