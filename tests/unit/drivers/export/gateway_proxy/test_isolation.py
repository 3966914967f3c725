"""What keeps a proxy gateway, its share and the two networks apart."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.conformance.exports import NEAR, rule
from roadstead.model.errors import Conflict, Unsupported
from tests.conformance.gateway_proxy_bench import ProxyLab, own, ref
from tests.lab.netns import in_thread

if TYPE_CHECKING:
    from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
    from roadstead.model.world import ExportSpec

pytestmark = pytest.mark.real


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
    with pytest.raises(Unsupported):
        driver.ensure_export(msgspec.structs.replace(spec, proto="CIFS"))
