"""Our export drivers do what every export driver must do."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.export_access import IpAccessConformance
from roadstead.conformance.exports import ExportBench, ExportConformance, rule
from roadstead.conformance.user_access import UserAccessConformance
from roadstead.drivers.export.memory import MemoryExport
from roadstead.model import world as w
from roadstead.model.admission import level_for
from tests.conformance.ganesha_bench import GaneshaLab
from tests.conformance.samba_bench import SambaLab

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestMemory(ExportConformance, IpAccessConformance):
    @pytest.fixture
    def bench(self) -> ExportBench:
        driver = MemoryExport(MemoryExport.Options(addresses=("10.9.0.1", "fd00:9::1")))
        place = w.Place(id="host-memory")
        paths = itertools.count(1)

        def level_of(address: str, spec: w.ExportSpec) -> str | None:
            for mark in driver.inventory(spec.place):
                if mark.id == spec.instance_id:
                    clients = mark.facts["clients"]
                    assert isinstance(clients, dict)
                    return level_for(address, clients)
            return None

        driver.ensure_server(place)
        return ExportBench(driver, place, lambda: f"/shares/{next(paths)}", level_of)

    def test_it_fails_where_a_test_wants_it(self, bench: ExportBench) -> None:
        driver = bench.driver
        assert isinstance(driver, MemoryExport)
        spec = bench.exported()
        driver.fail["ensure_access"] = OSError("no")
        with pytest.raises(OSError, match="no"):
            bench.allow(spec, [rule("10.0.0.1")])
        del driver.fail["ensure_access"]
        assert bench.allow(spec, [rule("10.0.0.1")]) == [None]


@pytest.fixture(scope="module")
def lab() -> Iterator[GaneshaLab]:
    with GaneshaLab() as lab:
        yield lab


@pytest.mark.real
class TestGanesha(ExportConformance, IpAccessConformance):
    @pytest.fixture
    def bench(self, lab: GaneshaLab) -> Iterator[ExportBench]:
        bench = lab.bench()
        yield bench
        bench.driver.ensure_server_absent(bench.place)


@pytest.fixture(scope="module")
def smb_lab() -> Iterator[SambaLab]:
    with SambaLab() as lab:
        yield lab


@pytest.mark.real
class TestSamba(ExportConformance, UserAccessConformance):
    @pytest.fixture
    def bench(self, smb_lab: SambaLab) -> Iterator[ExportBench]:
        bench = smb_lab.smb_bench()
        yield bench
        bench.driver.ensure_server_absent(bench.place)


@pytest.mark.real
class TestNfsOfBoth(ExportConformance, IpAccessConformance):
    @pytest.fixture
    def bench(self, smb_lab: SambaLab) -> Iterator[ExportBench]:
        bench = smb_lab.bench(smb_lab.both())
        yield bench
        bench.driver.ensure_server_absent(bench.place)


@pytest.mark.real
class TestSmbOfBoth(ExportConformance, UserAccessConformance):
    @pytest.fixture
    def bench(self, smb_lab: SambaLab) -> Iterator[ExportBench]:
        bench = smb_lab.smb_bench(smb_lab.both())
        yield bench
        bench.driver.ensure_server_absent(bench.place)
