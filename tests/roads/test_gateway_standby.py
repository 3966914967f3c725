"""A gateway whose host dies, and the one on another host that stands by for it; with a real VM."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.frames import Capture
from tests.roads.direct import Writer
from tests.roads.gateway import DEVICE
from tests.roads.gateway_pair import ACTIVE, STANDBY, PairedRoad, addresses_in
from tests.roads.network import COMPUTE, address_of, level, mount
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory
    from tests.lab.guest import Guest
    from tests.lab.hosts import Client
    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.slow,
    pytest.mark.xdist_group("gw-standby"),
]
ROAD = PairedRoad

VM, STRANGER, DENIED = "10.0.0.50", "10.0.0.60", "10.0.0.70"
VRRP = 112


@pytest.fixture(scope="module")
def share(road: PairedRoad, tenant: Tenant) -> Shared:
    """The standby has everything of it."""
    made = tenant.share(VM)
    netns = road.namespaces(tenant)[STANDBY]
    until(lambda: "set rw4_" in rules(netns), "the standby has the share's rules")
    return made


@pytest.fixture(scope="module")
def guest(road: PairedRoad, tenant: Tenant, share: Shared, guest_factory: GuestFactory) -> Guest:
    return guest_factory([road.nic(tenant, VM)], modules=["nfsv4"])


def rules(netns: str) -> str:
    """What decides there."""
    import subprocess

    argv = ["nsenter", f"--net=/run/netns/{netns}", "nft", "list", "ruleset"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def protocols(frames: list[bytes]) -> set[int]:
    """Numbers of the protocols in IPv4 packets."""
    return {frame[23] for frame in frames if frame[12:14] == b"\x08\x00"}


def test_one_of_two_has_the_addresses(road: PairedRoad, tenant: Tenant, share: Shared) -> None:
    """G-I4: and the other one its rules and its own addresses."""
    server = address_of(tenant.api, share)
    assert road.holders(tenant, server) == [ACTIVE]
    one, other = (addresses_in(netns) for netns in road.namespaces(tenant).values())
    assert {*road.sources(share).values(), server} <= one
    assert not {*road.sources(share).values(), server} & other


def test_the_host_of_a_gateway_dies_under_load(
    road: PairedRoad, tenant: Tenant, share: Shared, guest: Guest
) -> None:
    """G-I4: the file stays open in the guest and goes on within a minute; who was refused stays
    refused; VRRP is on the storage network alone. The host comes back: one of both serves."""
    server = address_of(tenant.api, share)
    rule = tenant.api.allow(share.id, DENIED)
    tenant.api.deny(share.id, rule["id"])
    mount(guest, server, share, options="noac")
    writer = Writer(guest, "/mnt/share")
    storage = Capture(road.lab.hosts[COMPUTE].netns, DEVICE)
    segment = Capture(road.lab.hosts[COMPUTE].netns, road.bridge(tenant.wire))
    with (
        segment,
        storage,
        road.client(tenant, STRANGER) as stranger,
        road.client(tenant, DENIED) as denied,
    ):
        writer.wait_lines(5)
        began = time.monotonic()
        road.service.kill()
        road.kill_gateways(tenant)
        road.pull_cables()
        for more in (1, 20):
            writer.wait_lines(more)
            print(f"{more} more lines after {time.monotonic() - began:.1f} s")
        assert server in addresses_in(road.namespaces(tenant)[STANDBY])
        for client in (stranger, denied):
            with pytest.raises(ConnectionRefusedError):
                level(client, server, share)
        road.plug_cables()
        road.service.start()
        began = time.monotonic()
        road.wait_held(tenant, server, ACTIVE)
        until(lambda: road.roles(tenant) == {ACTIVE: "active", STANDBY: "standby"}, "it is told so")
        writer.wait_lines(20)
        print(f"back on its own host, and 20 lines, after {time.monotonic() - began:.1f} s")
        with pytest.raises(ConnectionRefusedError):
            level(stranger, server, share)
    assert VRRP in protocols(storage.frames)
    assert VRRP not in protocols(segment.frames)
    writer.finish()
    guest.sh("umount /mnt/share")


@pytest.mark.isolation
def test_a_denied_client_is_cut_while_the_first_host_is_dead(
    road: PairedRoad, tenant: Tenant, share: Shared
) -> None:
    """G-I2: what the database says counts at once, though nobody can tell the filer."""
    server = address_of(tenant.api, share)
    rule = tenant.api.allow(share.id, DENIED)
    with road.client(tenant, DENIED) as denied:
        assert level(denied, server, share) == "rw"
        road.service.kill()
        road.kill_gateways(tenant)
        road.pull_cables()
        try:
            until(lambda: admits(denied, server, share), "the standby serves")
            # As the API of another host would.
            road.set_rule_state(rule["id"], "queued_to_deny")
            until(lambda: not admits(denied, server, share), "the client is refused")
            assert road.namespaces(tenant)[STANDBY]
        finally:
            road.set_rule_state(rule["id"], "active")
            road.plug_cables()
            road.service.start()
        tenant.api.deny(share.id, rule["id"])
        road.wait_held(tenant, server, ACTIVE)
        assert not admits(denied, server, share)


def admits(client: Client, server: str, share: Shared) -> bool:
    """The client really got in."""
    try:
        return level(client, server, share) == "rw"
    except OSError:
        return False


def test_nothing_is_left_on_either_host(road: PairedRoad) -> None:
    """X-4, N-I6: neither namespace, address nor keepalived of a gateway that is deleted."""
    tenant = road.tenant("bob")
    share = tenant.share(VM)
    namespaces = road.namespaces(tenant)
    until(lambda: addresses_in(namespaces[STANDBY]), "the standby is there")
    tenant.api.delete_share(share.id)
    server = road.server(tenant)
    road.admin.call("DELETE", f"/share-servers/{server['id']}")
    until(lambda: not road.servers(tenant.network), "the share server is gone")
    for netns in namespaces.values():
        until(lambda n=netns: not addresses_in(n), "its gateways are gone")
