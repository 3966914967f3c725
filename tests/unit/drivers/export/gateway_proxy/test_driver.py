"""A proxy gateway between real networks: an NFS-Ganesha that is a filer's client, and the filer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import NEAR, SIBLING, SIX, rule
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.model import gateways as g
from roadstead.model.errors import Conflict, NotFound, Transient, Unsupported
from roadstead.model.world import Attempt, ExportPath, Place
from tests.conformance.ganesha_bench import kill, opened, until_refused
from tests.conformance.gateway_proxy_bench import FILER6, ProxyLab, ref
from tests.lab.netns import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec

pytestmark = pytest.mark.real


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


def own(spec: ExportSpec) -> str:
    return spec.place.storage[0]


def broken(driver: ProxyExport, spec: ExportSpec) -> str | None:
    (mark,) = driver.inventory(spec.place)
    return mark.broken


# --- who comes ------------------------------------------------------------------------------------


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
    control = MemoryFiler()
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


# --- apart ----------------------------------------------------------------------------------------


def test_a_gateway_has_one_share(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    """X-1: handles can be forged within one server, so there is nothing else in it."""
    second = lab.spec(spec.place, export_id=8)
    with pytest.raises(Conflict):
        driver.ensure_export(second)
    assert lab.at_filer(second) is None
    with lab.serving(driver) as other:
        driver.ensure_access(ref(other), [rule(NEAR)])
        assert (lab.level(other), lab.level(spec)) == ("rw", None)
        assert lab.at_filer(other) == {own(other): "rw"}


@pytest.mark.isolation
def test_nothing_passes_but_nfs(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    """G-I1, G-S1: no forwarding, nothing for the storage network, a reset for any other port."""

    def forwarding() -> list[str]:
        files = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
        return [Path("/proc/sys/net", file).read_text().strip() for file in files]

    assert in_thread(spec.place.netns, forwarding) == ["0", "0"]
    tenant, tenant6 = spec.place.addresses
    assert lab.connects(lab.clients, tenant, 2049)
    assert lab.connects(lab.clients, tenant6, 2049)
    assert not lab.connects(lab.clients, tenant, 22)
    assert not lab.connects(lab.filer_ns, own(spec), 2049)
    # Linux would answer at any of its legs.
    subprocess.run(
        ["ip", "-n", lab.filer_ns, "route", "replace", f"{tenant}/32", "via", own(spec)], check=True
    )
    assert not lab.connects(lab.filer_ns, tenant, 2049)


@pytest.mark.isolation
def test_another_protocol_is_refused(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    import msgspec

    with pytest.raises(Unsupported):
        driver.ensure_export(msgspec.structs.replace(spec, proto="CIFS"))


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


# --- the filer comes and goes ---------------------------------------------------------------------


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


# --- the gateway comes and goes -------------------------------------------------------------------


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


def test_a_probe_is_a_real_client(lab: ProxyLab, driver: ProxyExport, spec: ExportSpec) -> None:
    server = spec.place.addresses[0]
    tried: Attempt = driver.probe(ref(spec), server=server, source=server)
    assert (tried.outcome, tried.nfs_status) == ("admitted", "NFS4_OK")


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


def driver_pid(driver: ProxyExport, place: Place) -> int:
    return driver._ganesha.pid(place)  # type: ignore[return-value]


def tables(place: Place) -> list[str]:
    """The nftables of the gateway's namespace."""

    def listed() -> str:
        argv = ["nft", "-j", "list", "tables"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    found = json.loads(in_thread(place.netns, listed))["nftables"]
    return [item["table"]["name"] for item in found if "table" in item]
