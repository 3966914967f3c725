"""A filer that goes, hangs, comes back or becomes another one; and what its gateway makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import NEAR, SIBLING, rule
from roadstead.model import gateways as g
from tests.conformance.ganesha_bench import opened
from tests.conformance.gateway_proxy_bench import FILER6, ProxyLab, broken, driver_pid, own, ref

if TYPE_CHECKING:
    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec

pytestmark = pytest.mark.real


def test_a_filer_that_was_restarted_is_found_again(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """G-I4, G-I5: the server's session is dead for good. It is said, and it is started anew."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    assert broken(driver, spec) is None
    before = driver.report(spec.place)
    assert (before.health, before.sessions) == (g.OK, 0)
    lab.filer.restart()
    assert "session is dead" in (broken(driver, spec) or "")
    driver.ensure_server(spec.place)
    assert broken(driver, spec) is None
    assert lab.level(spec) == "rw"


def test_looking_at_a_gateway_mends_it(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    driver.ensure_access(ref(spec), [rule(NEAR)])
    lab.filer.kill()
    down = driver.report(spec.place)
    assert down.health == g.UNREACHABLE
    assert broken(driver, spec) is None  # of what cannot be asked nothing is said
    lab.filer.start()
    assert driver.report(spec.place).health == g.OK
    assert lab.level(spec) == "rw"
    after = driver.report(spec.place)
    assert after.sessions == 1
    assert after.bytes_in > 0
    assert after.bytes_out > 0
    assert [session.client for session in driver.sessions(ref(spec))] == [NEAR]


@pytest.mark.isolation
def test_nobody_is_answered_wrongly_meanwhile(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """A client with an open file waits, and is not told that its file is bad."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    with lab.at(spec, timeout=2) as client:
        file = opened(client, spec, write=True)
        lab.filer.restart()
        with pytest.raises((TimeoutError, ConnectionError, EOFError)):
            client.write(file, 0, b"x")
    driver.ensure_server(spec.place)
    assert lab.level(spec) == "rw"


def test_a_gateway_waits_for_a_filer_that_hangs(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """It is not started anew for nothing."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    pid = driver_pid(driver, spec.place)
    lab.filer.pause()
    try:
        assert driver.report(spec.place).health == g.UNREACHABLE
    finally:
        lab.filer.go_on()
    assert driver.report(spec.place).health == g.OK
    assert driver_pid(driver, spec.place) == pid
    assert lab.level(spec) == "rw"


def test_rules_that_the_filer_lost_are_made_again(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    driver.ensure_access(ref(spec), [rule(NEAR)])
    lab.control().ensure_export_absent(spec.instance_id)
    assert "the filer does not export it" in (broken(driver, spec) or "")
    driver.ensure_export(spec)
    assert broken(driver, spec) is None
    assert lab.at_filer(spec) == {own(spec): "rw"}


def test_a_filer_that_is_called_otherwise_from_now_on(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """The administrator wants other names, or the filer got another address."""
    driver.ensure_access(ref(spec), [rule(NEAR), rule(SIBLING, "ro")])
    again = lab.proxy(filer=[FILER6], prefix="/new")
    assert "the filer was another one" in (broken(again, spec) or "")
    again.ensure_export(spec)
    assert broken(again, spec) is None
    assert (lab.level(spec), lab.level(spec, SIBLING)) == ("rw", "ro")
    assert lab.at_filer(spec) is None
    there = lab.filer.clients()[f"/new/share-{spec.instance_id}"]
    assert there == {spec.place.storage[1]: "rw"}


def test_a_filer_of_ipv6_only(lab: ProxyLab) -> None:
    driver = lab.proxy(filer=[FILER6])
    with lab.serving(driver) as spec:
        driver.ensure_access(ref(spec), [rule(NEAR)])
        assert lab.at_filer(spec) == {spec.place.storage[1]: "rw"}
        assert lab.level(spec) == "rw"
        assert broken(driver, spec) is None
        lab.filer.restart()
        assert driver.report(spec.place).health == g.OK
        assert lab.level(spec) == "rw"
