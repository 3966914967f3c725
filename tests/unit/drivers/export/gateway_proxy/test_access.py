"""Whom a proxy gateway lets in, how far, and who is cut off; on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import NEAR, SIBLING, SIX, rule
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.model.errors import NotFound, Transient
from roadstead.model.world import Attempt, ExportPath
from tests.conformance.ganesha_bench import opened, until_refused
from tests.conformance.gateway_proxy_bench import ProxyLab, own, ref

if TYPE_CHECKING:
    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec

pytestmark = pytest.mark.real


@pytest.mark.isolation
def test_a_new_share_is_for_nobody(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    """G-S1, G-I2: the filer admits the gateway, by a name of its own, to read; nobody gets in."""
    assert lab.at_filer(spec) == {own(spec): "ro"}
    assert lab.level(spec) is None
    assert driver.ensure_export(spec) == [
        ExportPath(path=f"{spec.place.addresses[0]}:/share-{spec.instance_id}"),
        ExportPath(path=f"[{spec.place.addresses[1]}]:/share-{spec.instance_id}"),
    ]


@pytest.mark.isolation
def test_rules_hold_on_both_sides(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    """G-I2: the filer's level is the highest of the rules'."""
    driver.ensure_access(ref(spec), [rule(SIBLING, "ro")])
    assert lab.at_filer(spec) == {own(spec): "ro"}
    given = [rule(SIBLING, "ro"), rule(NEAR), rule(SIX), rule("not an address")]
    outcomes = driver.ensure_access(ref(spec), given)
    assert [bool(outcome.problem) for outcome in outcomes] == [False, False, False, True]
    assert lab.at_filer(spec) == {own(spec): "rw"}
    levels = {address: lab.level(spec, address) for address in (NEAR, SIX, SIBLING)}
    assert levels == {NEAR: "rw", SIX: "rw", SIBLING: "ro"}
    (mark,) = driver.inventory(spec.place)
    assert mark.facts == {
        "export_id": spec.export_id,
        "path": spec.path,
        "clients": {f"{SIX}/128": "rw", f"{NEAR}/32": "rw", f"{SIBLING}/32": "ro"},
    }
    driver.ensure_access(ref(spec), [rule("10.9.0.0/24", "ro")])
    assert lab.at_filer(spec) == {own(spec): "ro"}
    assert (lab.level(spec), lab.level(spec, SIX)) == ("ro", None)


@pytest.mark.isolation
def test_who_is_denied_is_cut_with_a_file_open(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """D-I5, X-3: by an error, within a second; so is whose level falls."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    with lab.at(spec) as client:
        file = opened(client, spec, write=True)
        driver.ensure_access(ref(spec), [rule(NEAR, "ro")])
        status, seconds = until_refused(lambda: client.write(file, 0, b"x"))
        assert (status, seconds < 1) == ("ROFS", True)
        driver.ensure_access(ref(spec), [])
        status, seconds = until_refused(lambda: client.read(file, 0, 1))
        assert (status, seconds < 1) == ("ACCESS", True)


def test_who_goes_does_not_wait_for_the_filer(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """A filer that is down delays who comes, never who goes."""
    driver.ensure_access(ref(spec), [rule(NEAR, "ro"), rule(SIBLING, "ro")])
    lab.filer.kill()
    try:
        with pytest.raises(Transient):
            driver.ensure_access(ref(spec), [rule(SIX), rule(SIBLING, "ro")])
        assert lab.level(spec) is None
    finally:
        lab.filer.start()
    driver.ensure_server(spec.place)
    driver.ensure_access(ref(spec), [rule(SIX), rule(SIBLING, "ro")])
    assert (lab.level(spec), lab.level(spec, SIX)) == (None, "rw")


def test_a_filer_that_refuses_lets_nobody_write(lab: ProxyLab) -> None:
    control = MemoryFiler(MemoryFiler.Options())
    driver = lab.proxy(control)
    with lab.place() as place:
        driver.ensure_server(place)
        spec = lab.spec(place)
        control.fail["ensure_export"] = Transient("the filer is away")
        with pytest.raises(Transient):
            driver.ensure_export(spec)
        assert list(driver.inventory(place)) == []
        with pytest.raises(NotFound):
            driver.ensure_access(ref(spec), [rule(NEAR)])
        driver.ensure_server_absent(place)


@pytest.mark.xfail(strict=True, reason="PROXY_V4 of NFS-Ganesha 4.3 never widens an open")
def test_a_file_that_is_read_can_be_written(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    """By another program of the same user on the same client, too. Told in docs/roads/gateway.md;
    the day this passes it can go from there."""
    driver.ensure_access(ref(spec), [rule(NEAR)])
    with lab.at(spec) as client:
        opened(client, spec)
        file = opened(client, spec, write=True)
        client.write(file, 0, b"x")


def test_a_file_that_is_written_can_be_read(
    lab: ProxyLab, driver: ProxyExport, spec: ExportSpec
) -> None:
    driver.ensure_access(ref(spec), [rule(NEAR)])
    with lab.at(spec) as client:
        opened(client, spec, write=True)
        file = opened(client, spec)
        client.write(file, 0, b"x")
        assert client.read(file, 0, 1) == b"x"


def test_a_probe_is_a_real_client(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    server = spec.place.addresses[0]
    tried: Attempt = driver.probe(ref(spec), server=server, source=server)
    assert (tried.outcome, tried.nfs_status) == ("admitted", "NFS4_OK")
