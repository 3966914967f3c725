"""Proxy gateways between real networks: an NFS-Ganesha that is a filer's client, and the filer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.gateway_proxy_bench import ProxyLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec


@pytest.fixture(scope="module")
def lab() -> Iterator[ProxyLab]:
    with ProxyLab() as lab:
        yield lab


@pytest.fixture
def driver(lab: ProxyLab) -> ProxyExport:
    return lab.proxy()


@pytest.fixture
def spec(lab: ProxyLab, driver: ProxyExport) -> Iterator[ExportSpec]:
    """A share behind a gateway of its own, for nobody yet."""
    with lab.serving(driver, six=True) as made:
        yield made
