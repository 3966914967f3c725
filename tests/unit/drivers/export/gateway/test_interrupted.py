"""A gateway's driver that died between any two of its effects; the call made again finishes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.conformance.exports import FAR, NEAR, SIBLING, ref, rule
from roadstead.drivers.export.gateway.files import FlowFiles
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.host import netlink
from tests.conformance.gateway_bench import GatewayLab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadstead.model import world as w
    from tests.conformance.gateway_bench import GatewayBench

pytestmark = [pytest.mark.crash, pytest.mark.real]


class Died(BaseException):
    """Nothing in the driver may catch it."""


@pytest.fixture
def filer() -> MemoryFiler:
    return MemoryFiler(MemoryFiler.Options())


@pytest.fixture
def bench(lab: GatewayLab, filer: MemoryFiler) -> Iterator[GatewayBench]:
    with lab.bench(filer) as bench:
        yield bench


def dies_after(step: int, call: Callable[[], object]) -> bool:
    """The call was ended right after that effect of it, or (0) before any; False when it was
    through before."""
    left = [step]

    def deadly(effect: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                raise Died
            left[0] -= 1
            return effect(*args, **kwargs)

        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netlink, "act", deadly(netlink.act))
        patch.setattr(netlink, "write_sysctls", deadly(netlink.write_sysctls))
        for name in ("write", "note", "remove", "ensure_absent"):
            patch.setattr(FlowFiles, name, deadly(getattr(FlowFiles, name)))
        for name in ("ensure_export", "ensure_export_absent"):
            patch.setattr(MemoryFiler, name, deadly(getattr(MemoryFiler, name)))
        try:
            call()
        except Died:
            return True
        return False


def in_force(bench: GatewayBench, spec: w.ExportSpec) -> dict[str, str | None]:
    """What the kernel gives each client."""
    vip = bench.place.flows[spec.instance_id].addresses[0]
    tried = {a: bench.driver.probe(ref(spec), server=vip, source=a) for a in (NEAR, SIBLING, FAR)}
    # The filer in memory answers nobody; the gateway's part is said before that.
    passes = {client: re.match("passes as (..);", found.detail) for client, found in tried.items()}
    return {client: found[1] if found else None for client, found in passes.items()}


# G-I2
def test_access(lab: GatewayLab, bench: GatewayBench, filer: MemoryFiler) -> None:
    # At the filer one level comes and the other goes.
    before = [rule(NEAR), rule(SIBLING)]
    after = [rule(NEAR, "ro"), rule(FAR, "ro")]
    step = 0
    while True:
        spec = bench.exported(*before)
        flow = bench.place.flows[spec.instance_id]
        died = dies_after(step, lambda spec=spec: bench.allow(spec, after))
        # Whatever it came to, nobody has more than the old rules or the new ones give.
        levels = in_force(bench, spec)
        assert levels[NEAR] in ("rw", "ro", None)
        assert levels[SIBLING] in ("rw", None)
        assert levels[FAR] in ("ro", None)
        # An agent that starts anew makes the rules equal to what is stored, and again.
        lab.driver(filer).ensure_server(bench.place)
        assert bench.allow(spec, after) == [None, None]
        assert in_force(bench, spec) == {NEAR: "ro", SIBLING: None, FAR: "ro"}
        assert bench.found()[spec.instance_id].broken is None
        served = next(e for e in filer.exports.values() if e and e.path == spec.path)
        assert served.clients == {flow.sources["ro"][0]: "ro"}
        if not died:
            break
        step += 1
    assert step > 5


@pytest.mark.parametrize("rules", [[], [rule(NEAR)]], ids=["nobody", "a client"])
def test_an_export_that_goes(
    lab: GatewayLab, bench: GatewayBench, filer: MemoryFiler, rules: list[w.RuleSpec]
) -> None:
    step = 0
    while True:
        kept, spec = bench.exported(rule(FAR)), bench.exported(*rules)
        died = dies_after(step, lambda spec=spec: bench.driver.ensure_export_absent(ref(spec)))
        bench.driver.ensure_server(bench.place)
        bench.driver.ensure_export_absent(ref(spec))
        assert list(bench.found()) == [kept.instance_id]
        assert [e.instance_id for e in filer.exports.values() if e] == [kept.instance_id]
        assert f"share_{spec.export_id}" not in lab.nft("list", "ruleset")
        bench.driver.ensure_export_absent(ref(kept))
        if not died:
            break
        step += 1
    assert step > 3


def test_an_export_that_comes(bench: GatewayBench, filer: MemoryFiler) -> None:
    step = 0
    while True:
        spec = bench.spec()
        died = dies_after(step, lambda spec=spec: bench.driver.ensure_export(spec))
        bench.driver.ensure_export(spec)
        assert bench.found()[spec.instance_id].broken is None
        # Or it is undone.
        bench.driver.ensure_export_absent(ref(spec))
        assert (bench.found(), filer.exports) == ({}, {})
        if not died:
            break
        step += 1
    assert step > 2


def test_a_gateway_that_goes(lab: GatewayLab, bench: GatewayBench, filer: MemoryFiler) -> None:
    step = 0
    while True:
        bench.driver.ensure_server(bench.place)
        bench.exported(rule(NEAR))
        died = dies_after(step, lambda: bench.driver.ensure_server_absent(bench.place))
        bench.driver.ensure_server_absent(bench.place)
        assert lab.nft("list", "tables") == ""
        assert (bench.found(), filer.exports) == ({}, {})
        if not died:
            break
        step += 1
    assert step > 4


def test_a_gateway_that_comes(bench: GatewayBench) -> None:
    bench.driver.ensure_server_absent(bench.place)
    step = 0
    while dies_after(step, lambda: bench.driver.ensure_server(bench.place)):
        bench.driver.ensure_server(bench.place)
        assert bench.report().health != "broken"
        bench.driver.ensure_server_absent(bench.place)
        step += 1
    assert step > 3
