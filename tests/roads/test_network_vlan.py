"""Tenants on VLANs by Open vSwitch, with a real VM on the other host."""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.lab.frames import Capture
from tests.lab.hosts import TRUNK
from tests.lab.links import links
from tests.roads.network import NetworkRoad, address_of, level, mount, place_netns

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.slow,
    pytest.mark.xdist_group("vlan"),
]

VM, SERVER = "10.0.0.50", "10.0.0.2"
NETWORKS = {"vlans": {"type": "vlan", "ids": "100-199", "physical_network": "trunk"}}
ROAD = functools.partial(NetworkRoad, ovs=True, networks=NETWORKS)


def test_tenants_on_vlans(road: NetworkRoad, guest_factory: GuestFactory) -> None:
    """N-I2, N-I3, N-I8: the second kind of segment; frames on the trunk carry the tenant's own
    VLAN id, the MTU is the trunk's, and the neighbour's VLAN has the same addresses."""
    alice, bob = road.tenant("alice", on="vlans"), road.tenant("bob", on="vlans")
    shares = alice.share(VM), bob.share(VM)
    assert (alice.wire.number, bob.wire.number) == (100, 101)
    assert {address_of(road.admin, share) for share in shares} == {SERVER}
    port = next(
        link for link in links(place_netns(road.server(alice)["id"])) if link["ifname"] != "lo"
    )
    assert port["mtu"] == road.lab.mtu
    guest = guest_factory([road.nic(alice, VM)], modules=["nfsv4"])
    with Capture(road.host.netns, TRUNK) as capture:
        client = mount(guest, SERVER, shares[0], options="noac")
        secret = secrets.token_hex(16)
        assert client.write("/mnt/share/file", secret).rc == 0
        capture.wait_for(secret.encode())
        assert capture.vlans(secret.encode()) == {100}
    assert client.read("/mnt/share/file").output == secret
    with road.client(bob, VM) as other:
        assert [level(other, SERVER, share) for share in shares] == ["none", "rw"]
