"""A proxy gateway, and its share, that die, go and come back."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import NEAR, SIBLING, rule
from roadstead.model import gateways as g
from roadstead.model.errors import Transient
from roadstead.model.world import Place
from tests.conformance.ganesha_bench import kill
from tests.conformance.gateway_proxy_bench import ProxyLab, broken, driver_pid, ref
from tests.lab.netns import in_thread

if TYPE_CHECKING:
    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec

pytestmark = pytest.mark.real


def test_a_gateway_that_died_serves_what_was_stored(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """G-I5: by another agent, too."""
    driver.ensure_access(ref(spec), [rule(NEAR), rule(SIBLING, "ro")])
    kill(driver_pid(driver, spec.place))
    assert broken(driver, spec)
    again = lab.proxy()
    again.ensure_server(spec.place)
    assert (lab.level(spec), lab.level(spec, SIBLING)) == ("rw", "ro")
    assert broken(again, spec) is None


def test_without_a_filer_no_gateway_is_started(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """It would hang. Told at once, and made up for later."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    kill(driver_pid(driver, spec.place))
    lab.filer.kill()
    try:
        with pytest.raises(Transient, match="unreachable"):
            driver.ensure_server(spec.place)
        assert driver.report(spec.place).health == g.UNREACHABLE
    finally:
        lab.filer.start()
    driver.ensure_server(spec.place)
    assert lab.level(spec) == "rw"


def test_an_absent_share_is_gone_on_both_sides(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    driver.ensure_access(ref(spec), [rule(NEAR)])
    for _ in range(2):
        driver.ensure_export_absent(ref(spec))
        assert lab.at_filer(spec) is None
        assert list(driver.inventory(spec.place)) == []
        assert lab.level(spec) is None
    driver.ensure_export(spec)
    assert lab.level(spec) is None  # the rules went with it


def test_a_share_goes_in_two_steps_when_the_filer_is_down(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    driver.ensure_access(ref(spec), [rule(NEAR)])
    lab.filer.kill()
    try:
        with pytest.raises(Transient):
            driver.ensure_export_absent(ref(spec))
        assert lab.level(spec) is None
        assert len(list(driver.inventory(spec.place))) == 1
    finally:
        lab.filer.start()
    driver.ensure_export_absent(ref(spec))
    assert lab.at_filer(spec) is None
    assert list(driver.inventory(spec.place)) == []


def test_a_gateway_that_is_absent_left_nothing(lab: ProxyLab, driver: ProxyExport) -> None:
    with lab.place() as place:
        driver.ensure_server(place)
        spec = lab.spec(place)
        driver.ensure_export(spec)
        for _ in range(2):
            driver.ensure_server_absent(place)
            assert lab.at_filer(spec) is None
            assert tables(place) == []
            assert driver_pid(driver, place) is None
            assert not list(lab.root.glob(f"*/{place.id}*"))
    driver.ensure_server_absent(place)
    assert list(driver.inventory(place)) == []


def test_nobody_looks_a_gateway_back_to_life(lab: ProxyLab, driver: ProxyExport) -> None:
    """Who looks may have been told of it before it was taken away."""
    with lab.place() as place:
        driver.ensure_server(place)
        driver.ensure_server_absent(place)
        assert driver.report(place).health == g.BROKEN
        assert driver_pid(driver, place) is None
        driver.ensure_server_absent(place)
        assert tables(place) == []


def tables(place: Place) -> list[str]:
    """The nftables of the gateway's namespace."""

    def listed() -> str:
        argv = ["nft", "-j", "list", "tables"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    found = json.loads(in_thread(place.netns, listed))["nftables"]
    return [item["table"]["name"] for item in found if "table" in item]
