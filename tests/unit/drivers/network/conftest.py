"""Two hosts, and share servers' legs on segments between them."""

from collections.abc import Iterator

import pytest

from tests.lab.hosts import TwoHosts
from tests.unit.drivers.network.tenants import Tenant, Wiring


@pytest.fixture(scope="package")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    with TwoHosts(tmp_path_factory.mktemp("hosts"), ovs=True) as hosts:
        yield hosts


@pytest.fixture(params=["vxlan", "vlan by the kernel", "vlan by ovs"])
def wiring(request: pytest.FixtureRequest, hosts: TwoHosts) -> Wiring:
    """Every means by which tenants are kept apart; skips when this machine lacks one."""
    kind, _, means = request.param.partition(" by ")
    wiring = Wiring(hosts, kind, means or "auto")
    info = wiring.drivers[0].capabilities()
    if kind not in info.segment_kinds:
        pytest.skip(f"NOT TESTED: {request.param}: {'; '.join(info.missing)}")
    return wiring


@pytest.fixture
def vxlan(hosts: TwoHosts) -> Wiring:
    return Wiring(hosts, "vxlan", "auto")


@pytest.fixture
def tenant(vxlan: Wiring) -> Iterator[Tenant]:
    """One tenant with a share server on the second host."""
    with Tenant(vxlan) as tenant:
        yield tenant
