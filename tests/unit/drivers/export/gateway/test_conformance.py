"""A gateway does what every export server does, with a real filer behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.export_access import IpAccessConformance
from roadstead.conformance.exports import ExportConformance
from tests.conformance.gateway_bench import GatewayLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.conformance.exports import ExportBench

pytestmark = [pytest.mark.conformance, pytest.mark.real]


@pytest.fixture(scope="module")
def lab() -> Iterator[GatewayLab]:
    with GatewayLab() as lab:
        yield lab


class TestGateway(ExportConformance, IpAccessConformance):
    @pytest.fixture
    def bench(self, lab: GatewayLab) -> Iterator[ExportBench]:
        with lab.bench() as bench:
            yield bench
