"""A tenant whose network has IPv6 only, over VXLAN, with a real VM on the other host."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.lab.frames import Capture
from tests.lab.hosts import UNDERLAY
from tests.lab.nfs_client import NfsClient
from tests.roads.network import NetworkRoad, address_of, level, mount

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.slow,
    pytest.mark.xdist_group("net6"),
]
ROAD = NetworkRoad

CIDR, SERVER, VM, STRANGER = "fd00::/64", "fd00::2", "fd00::50", "fd00::60"


def test_a_tenant_on_ipv6(road: NetworkRoad, guest_factory: GuestFactory) -> None:
    """N-I3, N-I8: the VM mounts `[fd00::2]:/share-…` and writes; its neighbour, and a neighbour
    tenant at the very same addresses, get nothing."""
    alice, bob = road.tenant("alice", cidr=CIDR), road.tenant("bob", cidr=CIDR)
    share, other = alice.share(VM), alice.share(STRANGER)
    bobs = bob.share(VM)
    path = alice.api.paths(share.id)[0]
    assert path == f"[{SERVER}]:{share.pseudo}"
    assert address_of(bob.api, bobs) == SERVER

    guest = guest_factory([road.nic(alice, VM)], modules=["nfsv4"])
    client = mount(guest, SERVER, share, options="noac")
    secret = secrets.token_hex(16)
    with Capture(road.host.netns, UNDERLAY) as capture:
        assert client.write("/mnt/share/file", secret).rc == 0
        capture.wait_for(secret.encode())
        assert capture.vnis(secret.encode()) == {alice.wire.number}
    assert client.read("/mnt/share/file").output == secret
    # What admits another address than the VM's, and what is another tenant's.
    for refused in (other, bobs):
        found = NfsClient(guest).mount(SERVER, refused.pseudo, "/mnt/other")
        assert not found.ok
        assert "No such file" in found.output
    with road.client(alice, STRANGER) as stranger:
        assert [level(stranger, SERVER, one) for one in (share, other)] == ["none", "rw"]
    with road.client(bob, VM) as neighbour:
        assert [level(neighbour, SERVER, one) for one in (share, bobs)] == ["none", "rw"]
