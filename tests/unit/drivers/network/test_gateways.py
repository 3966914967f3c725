"""A server answers by the port it was asked on, and knows no way out but the tenants' gateways."""

import pytest

from roadstead.model import networks as n
from roadstead.model import world as w
from tests.lab.greeter import Greeter, ask
from tests.lab.hosts import Client
from tests.lab.netns import ip
from tests.unit.drivers.network.tenants import Tenant, Wiring

pytestmark = pytest.mark.real
# What is behind the gateways of two subnets.
FAR, FAR6 = "203.0.113.1", "2001:db8:99::1"


def put_behind(client: Client) -> Client:
    """The client is a router, too, with something of the same address behind it."""
    ip("address", "add", f"{FAR}/32", "dev", "lo", netns=client.netns)
    ip("address", "add", f"{FAR6}/128", "dev", "lo", netns=client.netns)
    return client


def second_leg(tenant: Tenant, other: Tenant) -> n.PortSpec:
    """The first tenant's server on the other's segment, too."""
    place = w.Place(id=tenant.server.place_id, netns=tenant.netns)
    return n.PortSpec(
        id=f"second-{tenant.server.id[:8]}",
        segment_id=other.spec.id,
        place=place,
        addresses=("10.1.0.5/24", "fd01::5/64"),
        gateway="10.1.0.1",
    )


def test_answers_leave_by_the_port_they_were_asked_on(vxlan: Wiring) -> None:
    """N-I4: a second subnet with a gateway of its own; anti-spoofing lets nothing else pass."""
    driver = vxlan.drivers[1]
    with Tenant(vxlan) as tenant, Tenant(vxlan) as other:
        first = n.PortSpec(
            id=tenant.server.id,
            segment_id=tenant.spec.id,
            place=w.Place(id=tenant.server.place_id, netns=tenant.netns),
            addresses=tenant.server.addresses,
            gateway="10.0.0.1",
        )
        second = second_leg(tenant, other)
        routers = [
            put_behind(tenant.client(0, "10.0.0.1/24")),
            put_behind(other.client(0, "10.1.0.1/24")),
        ]
        driver.ensure_port(first)
        try:
            for _ in range(2):  # twice is once
                driver.ensure_port(second)
            for router, address in zip(routers, ("10.0.0.5", "10.1.0.5"), strict=True):
                with Greeter(tenant.netns, address, b"here"):
                    assert ask(router.netns, address, source=FAR) == b"here"
        finally:
            driver.ensure_port_absent(n.PortRef(id=second.id))
        assert "10.1.0" not in _all_routes(tenant.netns)
        with Greeter(tenant.netns, "10.0.0.5", b"still"):
            assert ask(routers[0].netns, "10.0.0.5", source=FAR) == b"still"


def test_a_gateway_of_ipv6(tenant: Tenant) -> None:
    driver = tenant.wiring.drivers[1]
    place = w.Place(id=tenant.server.place_id, netns=tenant.netns)
    spec = n.PortSpec(
        id=tenant.server.id,
        segment_id=tenant.spec.id,
        place=place,
        addresses=tenant.server.addresses,
        gateway="fd00::1",
    )
    router = put_behind(tenant.client(0, "fd00::1/64"))
    with Greeter(tenant.netns, "fd00::5", b"six"):
        assert ask(router.netns, "fd00::5", source=FAR6, timeout=1.0) is None  # no gateway yet
        driver.ensure_port(spec)
        assert ask(router.netns, "fd00::5", source=FAR6) == b"six"


def test_a_gateway_taken_away(tenant: Tenant) -> None:
    driver = tenant.wiring.drivers[1]
    place = w.Place(id=tenant.server.place_id, netns=tenant.netns)
    values = {
        "id": tenant.server.id,
        "segment_id": tenant.spec.id,
        "place": place,
        "addresses": tenant.server.addresses,
    }
    # The kernel adds routes for IPv6 addresses in its own time.
    while (before := _all_routes(tenant.netns)).count("local f") < 2:
        pass
    for gateway in ("10.0.0.1", "fd00::1"):
        driver.ensure_port(n.PortSpec(**values, gateway=gateway))  # type: ignore[arg-type]
        assert gateway in _all_routes(tenant.netns)
        driver.ensure_port(n.PortSpec(**values))  # type: ignore[arg-type]
        assert _all_routes(tenant.netns) == before


def _all_routes(netns: str) -> str:
    shown = [
        ip(*family, *what, netns=netns)
        for family in ((), ("-6",))
        for what in (("route", "show", "table", "all"), ("rule", "show"))
    ]
    return "\n".join(shown)
