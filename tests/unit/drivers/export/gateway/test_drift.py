"""What somebody else changes is found and put right; what belongs to a gateway goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, ref, rule
from roadstead.model import gateways as g
from roadstead.model import world as w
from roadstead.model.ids import pseudo_path
from tests.conformance.gateway_bench import FILER, GatewayLab
from tests.lab.netns import in_thread

if TYPE_CHECKING:
    from tests.conformance.gateway_bench import GatewayBench

pytestmark = pytest.mark.real
RULES, STATE = "roadstead_gateway", "roadstead_state"
PORT = 913


def sysctl(lab: GatewayLab, key: str, value: str | None = None) -> str:
    path = Path("/proc/sys/net", key)

    def there() -> str:
        if value is not None:
            path.write_text(value)
        return path.read_text().strip()

    return in_thread(lab.gateway, there)


# G-I5
@pytest.mark.parametrize(
    ("change", "broken", "near"),
    [
        (("flush", "set", "inet", RULES, "rw4_1"), "rules differ", {}),
        (
            ("add", "element", "inet", RULES, "rw4_1", "{", f"{FAR}", "}"),
            "rules differ",
            {f"{NEAR}/32": "rw", f"{FAR}/32": "rw"},
        ),
        (("delete", "table", "inet", RULES), "rules differ", {}),
        (("flush", "chain", "inet", RULES, "forward"), "rules differ", {f"{NEAR}/32": "rw"}),
        (("flush", "chain", "inet", RULES, "input"), "rules differ", {f"{NEAR}/32": "rw"}),
        (("flush", "chain", "inet", RULES, "share_1"), "rules differ", {f"{NEAR}/32": "rw"}),
        (("delete", "table", "inet", STATE), "bytes are not counted", {f"{NEAR}/32": "rw"}),
        (
            ("flush", "chain", "inet", STATE, "passed"),
            "bytes are not counted",
            {f"{NEAR}/32": "rw"},
        ),
        (("flush", "ruleset"), "rules differ", {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_changed_rules_are_found_and_made_again(
    lab: GatewayLab,
    bench: GatewayBench,
    change: tuple[str, ...],
    broken: str,
    near: dict[str, str],
) -> None:
    spec = bench.exported(rule(NEAR))
    assert spec.export_id == 1
    assert bench.found()[spec.instance_id].broken is None
    lab.nft(*change)
    found = bench.found()[spec.instance_id]
    assert found.broken == broken
    assert dict(found.facts["clients"]) == near  # type: ignore[call-overload]
    assert bench.report().health == g.BROKEN
    lab.driver().ensure_server(bench.place)
    found = bench.found()[spec.instance_id]
    assert (found.broken, found.facts["clients"]) == (None, {f"{NEAR}/32": "rw"})
    assert [bench.level_of(a, spec) for a in (NEAR, FAR)] == ["rw", None]


@pytest.mark.parametrize("key", ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
def test_forwarding_that_was_turned_off(lab: GatewayLab, bench: GatewayBench, key: str) -> None:
    spec = bench.exported(rule(NEAR), rule(SIX))
    sysctl(lab, key, "0")
    assert bench.found()[spec.instance_id].broken == "forwarding is off"
    bench.driver.ensure_server(bench.place)
    assert bench.found()[spec.instance_id].broken is None
    assert [bench.level_of(a, spec) for a in (NEAR, SIX)] == ["rw", "rw"]
    assert sysctl(lab, "ipv4/conf/all/accept_redirects") == "0"


def test_nothing_is_forwarded_without_rules(lab: GatewayLab, bench: GatewayBench) -> None:
    bench.driver.ensure_server_absent(bench.place)
    assert sysctl(lab, "ipv4/ip_forward") == "0"
    bench.driver.ensure_server(bench.place)
    assert sysctl(lab, "ipv4/ip_forward") == "1"
    assert "policy drop" in lab.nft("list", "chain", "inet", RULES, "forward")


# G-I2
def test_the_filers_own_rules_are_looked_at(lab: GatewayLab, bench: GatewayBench) -> None:
    spec = bench.exported(rule(NEAR))
    control = lab.control()
    control.ensure_export_absent(spec.instance_id)
    assert bench.found()[spec.instance_id].broken == "the filer does not export it"
    state = bench.report()
    assert (state.health, state.detail) == (g.BROKEN, "the filer does not export it")
    assert bench.allow(spec, [rule(NEAR)]) == [None]
    assert bench.found()[spec.instance_id].broken is None
    assert bench.level_of(NEAR, spec) == "rw"
    bench.allow(spec, [rule(NEAR, "ro")])
    bench.driver.ensure_export(spec)
    flow = bench.place.flows[spec.instance_id]
    there = lab.filer.clients()[pseudo_path(spec.instance_id)]
    assert there == {flow.sources["ro"][0]: "ro"}


# G-M2
def test_a_gateway_says_how_it_is(lab: GatewayLab, bench: GatewayBench) -> None:
    one, two = bench.exported(rule(NEAR)), bench.exported(rule(SIBLING))
    before = bench.report()
    assert (before.health, before.detail, before.sessions) == (g.OK, "", 0)
    with lab.hold(one, PORT) as held, lab.hold(two, PORT, SIBLING) as other:
        held.call()
        other.call()
        during = bench.report()
        assert during.sessions == 2
        assert during.bytes_in > before.bytes_in
        assert during.bytes_out > before.bytes_out
        # Neither other shares' changes nor a repair touch what was counted.
        bench.allow(two, [rule(SIBLING, "ro")])
        bench.exported(rule(FAR))
        bench.driver.ensure_export_absent(ref(two))
        lab.nft("delete", "table", "inet", RULES)
        lab.driver().ensure_server(bench.place)
        after = bench.report()
        assert (after.health, after.sessions) == (g.OK, 1)
        assert after.bytes_in >= during.bytes_in
        assert after.bytes_out >= during.bytes_out
        assert after.started_at == before.started_at
        held.call()
    lab.filer.stop()
    state = bench.report()
    lab.filer.start()
    assert state.health == g.UNREACHABLE
    assert FILER in state.detail


#
def test_a_gateway_that_is_absent_left_nothing(lab: GatewayLab, bench: GatewayBench) -> None:
    specs = [bench.exported(rule(NEAR)), bench.exported(rule(SIX))]
    with lab.hold(specs[0], PORT) as held:
        held.call()
        assert lab.connections()
        bench.driver.ensure_server_absent(bench.place)
        assert lab.connections() == []
    assert lab.nft("list", "tables") == ""
    assert sysctl(lab, "ipv4/ip_forward") == sysctl(lab, "ipv6/conf/all/forwarding") == "0"
    assert not (lab.root / "state" / bench.place.id).exists()
    assert list(lab.control().inventory()) == []


def test_a_gateway_whose_namespace_is_gone_is_removed(lab: GatewayLab, bench: GatewayBench) -> None:
    spec = bench.exported(rule(NEAR))
    gone = w.Place(id=bench.place.id, netns="roadstead-nowhere", storage=bench.place.storage)
    (mark,) = bench.driver.inventory(gone)
    assert mark.broken == "the gateway's namespace roadstead-nowhere is not there"
    assert bench.report(gone).health == g.BROKEN
    bench.driver.ensure_export_absent(
        w.ExportRef(instance_id=spec.instance_id, export_id=spec.export_id, place=gone)
    )
    assert list(lab.control().inventory()) == []
    bench.driver.ensure_server_absent(gone)
    assert list(bench.driver.inventory(gone)) == []
