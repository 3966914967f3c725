"""Two hosts, and share servers' legs on segments between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts import TwoHosts
from tests.unit.drivers.network.tenants import Tenant, Wiring

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def hosts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoHosts]:
    """With switches, unless all chosen tests do without."""
    here = [item.name for item in request.session.items if item.path.parent == HERE]
    ovs = not all("vlan by kernel" in name for name in here)
    with TwoHosts(tmp_path_factory.mktemp("hosts"), ovs=ovs) as hosts:
        yield hosts


@pytest.fixture(params=["vxlan", "vlan by kernel", "vlan by ovs"])
def wiring(request: pytest.FixtureRequest, hosts: TwoHosts) -> Wiring:
    """Every means by which tenants are kept apart; skips when this machine lacks one.
    Where its kernel has no 802.1q, a guest's has (test_another_kernel.py)."""
    kind, _, means = request.param.partition(" by ")
    wiring = Wiring(hosts, kind, means or "auto")
    info = wiring.drivers[0].capabilities()
    if kind not in info.segment_kinds:
        pytest.skip(f"NOT TESTED on this kernel: {request.param}: {'; '.join(info.missing)}")
    return wiring


@pytest.fixture
def vxlan(hosts: TwoHosts) -> Wiring:
    return Wiring(hosts, "vxlan", "auto")


@pytest.fixture
def tenant(vxlan: Wiring) -> Iterator[Tenant]:
    """One tenant with a share server on the second host."""
    with Tenant(vxlan) as tenant:
        yield tenant
