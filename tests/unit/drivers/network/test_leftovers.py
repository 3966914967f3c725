"""What others did to a host is noticed, reported, and mended or respected."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

import pytest

from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.errors import Conflict, Transient, Unsupported
from roadstead.model.ids import new_id, place_netns
from tests.lab.greeter import Greeter, ask
from tests.lab.hosts import FLAT, TRUNK, UNDERLAY, TwoHosts
from tests.lab.links import find_link, links
from tests.lab.netns import add_netns, ip, remove_netns
from tests.unit.drivers.network.tenants import Tenant, Wiring
from tests.unit.drivers.network.traces import Traces

pytestmark = pytest.mark.real


def broken(tenant: Tenant) -> dict[str, str | None]:
    return {mark.kind: mark.broken for mark in tenant.wiring.drivers[1].inventory()}


def mend(tenant: Tenant) -> n.Port:
    """What the sweep does."""
    driver, server = tenant.wiring.drivers[1], tenant.server
    driver.ensure_segment(tenant.spec)
    place = w.Place(id=server.place_id, netns=tenant.netns)
    driver.ensure_place(place)
    return driver.ensure_port(
        n.PortSpec(id=server.id, segment_id=tenant.spec.id, place=place, addresses=server.addresses)
    )


def test_a_bridge_lost(tenant: Tenant) -> None:
    ip("link", "delete", tenant.bridge, netns=tenant.host)
    found = broken(tenant)
    assert found["segment"] == "its bridge is missing"
    assert found["port"] == "it is not on its segment"
    assert mend(tenant) == tenant.server
    assert set(broken(tenant).values()) == {None}


def test_a_bridge_lost_and_not_wanted_any_more(vxlan: Wiring) -> None:
    traces = Traces(vxlan.hosts, 1)
    before = traces.all()
    with Tenant(vxlan) as tenant:
        ip("link", "delete", tenant.bridge, netns=tenant.host)
    assert traces.all() == before


def test_an_uplink_lost(tenant: Tenant) -> None:
    ip("link", "delete", tenant.segments[1].uplink, netns=tenant.host)
    assert broken(tenant)["segment"] == "its uplink is missing"
    assert mend(tenant) == tenant.server
    assert set(broken(tenant).values()) == {None}


def test_a_place_lost_with_its_port(tenant: Tenant) -> None:
    remove_netns(tenant.netns)
    driver = tenant.wiring.drivers[1]
    # The kernel takes the port down with the namespace, in its own time.
    while find_link(tenant.host, tenant.server.device) is not None:
        pass
    assert {m.kind: m.broken for m in driver.inventory()} == {
        "segment": None,
        "port": "its device is missing",
    }
    assert mend(tenant) == tenant.server
    assert set(broken(tenant).values()) == {None}


def test_a_place_of_that_name_that_is_not_ours(vxlan: Wiring) -> None:
    place_id = new_id()
    place = w.Place(id=place_id, netns=place_netns(place_id))
    add_netns(place_netns(place_id))
    try:
        for call in (vxlan.drivers[0].ensure_place, vxlan.drivers[0].ensure_place_absent):
            with pytest.raises(Conflict, match="not ours"):
                call(place)
        assert place_id not in {mark.id for mark in vxlan.drivers[0].inventory()}
    finally:
        remove_netns(place_netns(place_id))


def test_another_agents_things_are_not_ours(tenant: Tenant) -> None:
    """Two agents on one machine never sweep each other's."""
    hosts = tenant.wiring.hosts
    other = hosts.driver(1, owner="somebody-else")
    assert list(other.inventory()) == []
    other.ensure_port_absent(n.PortRef(id=tenant.server.id))
    other.ensure_segment_absent(n.SegmentRef(id=tenant.spec.id))
    with pytest.raises(Conflict):
        other.ensure_segment(tenant.spec)  # the VNI is taken
    assert list(other.inventory()) == []
    assert set(broken(tenant).values()) == {None}


def test_a_vni_somebody_else_uses(vxlan: Wiring) -> None:
    """N-I3: never joined to a network that only has the same number."""
    host = vxlan.hosts.hosts[0].netns
    traces = Traces(vxlan.hosts, 0)
    ip("link", "add", "foreign", "type", "vxlan", "id", "99", "dstport", "4789", "dev", UNDERLAY,
       netns=host)  # fmt: skip
    try:
        before = traces.all()
        with pytest.raises(Conflict, match="in use"):
            vxlan.drivers[0].ensure_segment(n.SegmentSpec(id="a", kind="vxlan", number=99))
        assert traces.all() == before
    finally:
        ip("link", "delete", "foreign", netns=host)


FLAT_SPEC = n.SegmentSpec(id="flat", kind="flat", physical_network="flat")


def test_a_device_with_addresses_stays_the_hosts(vxlan: Wiring) -> None:
    host = vxlan.hosts.hosts[0].netns
    ip("address", "add", "203.0.113.1/24", "dev", FLAT, netns=host)
    try:
        with pytest.raises(Conflict, match="cut off"):
            vxlan.drivers[0].ensure_segment(FLAT_SPEC)
        assert list(vxlan.drivers[0].inventory()) == []
    finally:
        ip("address", "delete", "203.0.113.1/24", "dev", FLAT, netns=host)


def test_a_device_in_another_bridge_stays_there(vxlan: Wiring) -> None:
    host = vxlan.hosts.hosts[0].netns
    ip("link", "add", "theirs", "type", "bridge", netns=host)
    try:
        ip("link", "set", FLAT, "master", "theirs", netns=host)
        with pytest.raises(Conflict, match="another bridge"):
            vxlan.drivers[0].ensure_segment(FLAT_SPEC)
        vxlan.drivers[0].ensure_segment_absent(n.SegmentRef(id="flat"))
        link = find_link(host, FLAT)
        assert link is not None
        assert link["master"] == "theirs"
    finally:
        ip("link", "delete", "theirs", netns=host)


def test_a_flat_network_on_the_hosts_own_bridge(vxlan: Wiring) -> None:
    """Joined by a pair of devices; the bridge itself is left alone."""
    hosts = vxlan.hosts
    host, traces = hosts.hosts[0].netns, Traces(hosts, 0)
    ip("link", "add", "theirs", "up", "type", "bridge", netns=host)
    try:
        before = traces.all()
        driver = hosts.driver(0, physical_networks={"flat": "theirs"})
        segment = driver.ensure_segment(FLAT_SPEC)
        assert driver.ensure_segment(FLAT_SPEC) == segment
        assert [m for m in links(host) if m.get("master") == "theirs"] != []
        assert {mark.broken for mark in driver.inventory()} == {None}
        driver.ensure_segment_absent(n.SegmentRef(id="flat"))
        assert traces.all() == before
    finally:
        ip("link", "delete", "theirs", netns=host)


def test_a_trunk_with_addresses_stays_the_hosts(hosts: TwoHosts) -> None:
    host, driver = hosts.hosts[0].netns, hosts.driver(0, vlan="ovs")
    spec = n.SegmentSpec(id="a", kind="vlan", number=5, physical_network="trunk")
    ip("address", "add", "203.0.113.1/24", "dev", TRUNK, netns=host)
    try:
        with pytest.raises(Conflict, match="cut off"):
            driver.ensure_segment(spec)
        assert list(driver.inventory()) == []
    finally:
        ip("address", "delete", "203.0.113.1/24", "dev", TRUNK, netns=host)


@pytest.fixture
def switch(hosts: TwoHosts) -> Iterator[str]:
    """An Open vSwitch bridge of the operator's, as Neutron's bridge mappings have it."""
    vsctl = hosts.switches[0].vsctl
    vsctl("add-br", "br-ex", "--", "set", "Bridge", "br-ex", "datapath_type=netdev")
    vsctl("add-port", "br-ex", TRUNK)
    yield "br-ex"
    vsctl("del-br", "br-ex")


@pytest.mark.parametrize("kind", ["flat", "vlan"])
def test_an_open_vswitch_bridge_is_used_as_it_is(hosts: TwoHosts, switch: str, kind: str) -> None:
    traces = Traces(hosts, 0)
    before = traces.all()
    driver = hosts.driver(0, physical_networks={"physnet1": switch}, vlan="ovs")
    number = 101 if kind == "vlan" else None
    spec = n.SegmentSpec(id=kind, kind=kind, number=number, physical_network="physnet1")
    driver.ensure_segment(spec)
    assert {mark.broken for mark in driver.inventory()} == {None}
    driver.ensure_segment_absent(n.SegmentRef(id=kind))
    assert traces.all() == before


def test_what_a_reboot_leaves_in_open_vswitch_is_found(hosts: TwoHosts) -> None:
    """Its database outlives the devices."""
    traces, driver = Traces(hosts, 0), hosts.driver(0, vlan="ovs")
    before = traces.all()
    spec = n.SegmentSpec(id=new_id(), kind="vlan", number=102, physical_network="trunk")
    segment, netns = driver.ensure_segment(spec), hosts.hosts[0].netns
    ip("link", "delete", segment.uplink, netns=netns)
    ip("link", "delete", segment.device, netns=netns)
    assert [(m.id, m.broken) for m in driver.inventory()] == [(spec.id, "its bridge is missing")]
    assert driver.ensure_segment(spec) == segment
    assert [(m.id, m.broken) for m in driver.inventory()] == [(spec.id, None)]
    ip("link", "delete", segment.uplink, netns=netns)
    ip("link", "delete", segment.device, netns=netns)
    driver.ensure_segment_absent(n.SegmentRef(id=spec.id))
    assert traces.all() == before


def test_an_underlay_that_is_not_there_yet(hosts: TwoHosts) -> None:
    driver = hosts.driver(0, underlay="later0", physical_networks={"flat": "later1"})
    for spec in (n.SegmentSpec(id="a", kind="vxlan", number=5), FLAT_SPEC):
        with pytest.raises(Transient, match="not there"):
            driver.ensure_segment(spec)
    assert list(driver.inventory()) == []


def test_a_host_says_what_it_lacks(hosts: TwoHosts) -> None:
    driver = hosts.driver(
        0, underlay="", physical_networks={"a": "b"}, ovs_database="unix:/nowhere", vlan="ovs"
    )
    info = driver.capabilities()
    assert info.segment_kinds == ("flat",)
    assert {
        "vlan: no Open vSwitch database at /nowhere",
        "vxlan: no underlay device is configured",
    } <= set(info.missing)
    with pytest.raises(Unsupported, match="underlay"):
        driver.ensure_segment(n.SegmentSpec(id="a", kind="vxlan", number=5))


def test_the_other_hosts_can_change(hosts: TwoHosts) -> None:
    """Hosts come and go: a segment in use floods to those of the configuration, no others."""
    spec = n.SegmentSpec(id=new_id(), kind="vxlan", number=1234)
    try:
        for remotes in (("192.0.2.2",), ("192.0.2.3", "192.0.2.4"), ("192.0.2.4",), ()):
            driver = hosts.driver(0, vxlan_remotes=remotes)
            uplink = driver.ensure_segment(spec).uplink
            shown = _remotes(hosts.hosts[0].netns, uplink)
            assert shown == set(remotes)
    finally:
        driver.ensure_segment_absent(n.SegmentRef(id=spec.id))


def _remotes(netns: str, device: str) -> set[str]:
    argv = ["bridge", "-n", netns, "-json", "fdb", "show", "dev", device]
    shown = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return {entry["dst"] for entry in shown if entry["mac"] == "00:00:00:00:00:00"}


def test_a_multicast_group_carries_the_floods(hosts: TwoHosts) -> None:
    """Instead of a list of hosts."""
    wiring = Wiring(hosts, "vxlan", "auto")
    for number in (0, 1):
        wiring.drivers[number] = hosts.driver(number, vxlan_group="239.1.1.1", vxlan_remotes=())
    with contextlib.ExitStack() as stack:
        tenant = stack.enter_context(Tenant(wiring))
        client = tenant.client(0, "10.0.0.10/24")
        stack.enter_context(Greeter(tenant.netns, "10.0.0.5", b"by group"))
        assert ask(client.netns, "10.0.0.5") == b"by group"


def test_an_underlay_of_ipv6(hosts: TwoHosts) -> None:
    """N-I2: its larger headers are taken off the MTU."""
    addresses = ("2001:db8::1", "2001:db8::2")
    for host, address in zip(hosts.hosts, addresses, strict=True):
        ip("address", "add", f"{address}/64", "dev", UNDERLAY, netns=host.netns)
    try:
        wiring = Wiring(hosts, "vxlan", "auto")
        for number, (own, far) in enumerate((addresses, addresses[::-1])):
            wiring.drivers[number] = hosts.driver(
                number, underlay_address=own, vxlan_remotes=(far,), vxlan_port=4790
            )
        with Tenant(wiring) as tenant:
            assert tenant.server.mtu == 1430
            client = tenant.client(0, "10.0.0.10/24")
            with Greeter(tenant.netns, "10.0.0.5", b"over IPv6"):
                assert ask(client.netns, "10.0.0.5") == b"over IPv6"
    finally:
        for host, address in zip(hosts.hosts, addresses, strict=True):
            ip("address", "delete", f"{address}/64", "dev", UNDERLAY, netns=host.netns)
