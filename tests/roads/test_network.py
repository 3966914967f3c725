"""The network road with real VMs on two hosts and no cloud (N-M5): two tenants, the same addresses,
no way between."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import pytest

from tests.lab.frames import Capture
from tests.lab.greeter import PORT, Greeter, ask
from tests.lab.hosts import UNDERLAY, hold_back
from tests.lab.netns import in_thread, ip
from tests.lab.nfs_client import NfsClient
from tests.roads.network import COMPUTE, STORAGE, NetworkRoad, Rented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.guest import Guest
    from tests.lab.hosts import Client

# One service and two guests serve the whole module.
pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow, pytest.mark.xdist_group("net")]
ROAD = NetworkRoad

VM, NEIGHBOUR, ROUTER = "10.0.0.50", "10.0.0.60", "10.0.0.9"
# The storage host's own addresses: on the underlay, a storage network, a management network.
HOST_ADDRESSES = ("192.0.2.1", "198.51.100.1", "203.0.113.1")
WORD = b"the host's own service"


@pytest.mark.isolation
def test_same_addresses_and_each_reaches_its_own_share_only(
    two: tuple[Rented, Rented], mounted: tuple[NfsClient, NfsClient]
) -> None:
    """N-I3, N-I2: two tenants, both 10.0.0.0/24, both servers and both VMs at one address."""
    alice, bob = two
    assert alice.tenant.wire != bob.tenant.wire
    assert alice.server == bob.server == "10.0.0.2"
    for client, word in zip(mounted, ("alice's", "bob's"), strict=True):
        assert client.write("/mnt/share/file", word).rc == 0
    for client, word in zip(mounted, ("alice's", "bob's"), strict=True):
        assert client.read("/mnt/share/file").output == word
    # Not even who knows the path gets further.
    for one, other in ((alice, bob), (bob, alice)):
        refused = NfsClient(one.guest).mount(one.server, other.share.pseudo, "/mnt/other")
        assert not refused.ok
        assert "No such file" in refused.output


@pytest.mark.isolation
def test_a_server_lists_only_what_its_tenant_may_have(two: tuple[Rented, Rented]) -> None:
    """N-S2: each share server has an export table of its own."""
    for one in two:
        client = NfsClient(one.guest)
        assert client.mount(one.server, "/", "/mnt/root").ok
        names = one.guest.sh("ls /mnt/root").output.split()
        client.umount("/mnt/root")
        assert names == [one.share.pseudo.strip("/")]


@pytest.mark.parametrize("version", ["4.1", "4.2"])
def test_each_version_of_the_protocol(two: tuple[Rented, Rented], version: str) -> None:
    """D-S1 on this road: the guest's kernel speaks NFS 4.1 and 4.2 to the share server."""
    client = two[0].mount("/mnt/versions", version=version)
    assert f"vers={version}" in two[0].guest.sh("grep /mnt/versions /proc/mounts").output
    assert client.write("/mnt/versions/v", version).rc == 0
    assert client.read("/mnt/versions/v").output == version
    client.umount("/mnt/versions")


@pytest.mark.isolation
def test_frames_on_the_wire_carry_the_tenants_own_number(
    road: NetworkRoad, two: tuple[Rented, Rented], mounted: tuple[NfsClient, NfsClient]
) -> None:
    """N-I2: captured on the underlay, between the two hosts."""
    with Capture(road.host.netns, UNDERLAY) as capture:
        for one, client in zip(two, mounted, strict=True):
            secret = secrets.token_hex(16)
            assert client.write("/mnt/share/frame", secret).rc == 0
            capture.wait_for(secret.encode())
            assert capture.vnis(secret.encode()) == {one.tenant.wire.number}


@contextlib.contextmanager
def greeters(road: NetworkRoad) -> Iterator[None]:
    """The storage host has services on its own networks."""
    with contextlib.ExitStack() as stack:
        host = road.host.netns
        for number, address in enumerate(HOST_ADDRESSES[1:]):
            ip("link", "add", f"own{number}", "type", "bridge", netns=host)
            ip("address", "add", f"{address}/24", "dev", f"own{number}", netns=host)
            ip("link", "set", f"own{number}", "up", netns=host)
            stack.callback(ip, "link", "delete", f"own{number}", netns=host)
        for address in HOST_ADDRESSES:
            stack.enter_context(Greeter(host, address, WORD))
        yield


def make_router(road: NetworkRoad, client: Client) -> None:
    """The client on the tenant's segment leads into the storage host: what must not be."""
    host, here = road.host.netns, client.netns
    ip(*"link add leak0 type veth peer name leak1 netns".split(), here, netns=host)
    for netns, device, address in ((host, "leak0", "172.16.9.1"), (here, "leak1", "172.16.9.2")):
        ip("address", "add", f"{address}/30", "dev", device, netns=netns)
        ip("link", "set", device, "up", netns=netns)
    ip("route", "add", "10.0.0.0/24", "via", "172.16.9.2", netns=host)
    for address in HOST_ADDRESSES:
        ip("route", "add", address, "via", "172.16.9.1", netns=here)
    in_thread(here, _forward)


def _forward() -> None:
    with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("1")


def answers(guest: Guest, how: str) -> list[str]:
    """Those of the host's own services that answer, with such a route in the guest."""
    jobs = {
        address: guest.start(
            f"ip route add {address}/32 {how} || exit 9\n"
            f"nc -w 3 {address} {PORT} < /dev/null; ip route del {address}/32"
        )
        for address in HOST_ADDRESSES
    }
    results = {address: guest.result(job) for address, job in jobs.items()}
    assert all(result.rc == 0 for result in results.values()), results
    return [address for address, result in results.items() if WORD.decode() in result.output]


@pytest.mark.isolation
def test_no_route_leads_from_a_vm_into_the_host(
    road: NetworkRoad, two: tuple[Rented, Rented]
) -> None:
    """N-I3, N-S3: neither the underlay nor the storage or management network, whatever routes the
    guest sets; by a real router beside the share server it could, so the attempt is a good one."""
    alice = two[0]
    with greeters(road), road.client(alice.tenant, ROUTER, on=STORAGE) as router:
        assert [ask(road.host.netns, address) for address in HOST_ADDRESSES] == [WORD] * 3
        assert answers(alice.guest, f"via {alice.server} dev eth0") == []
        assert answers(alice.guest, "dev eth0") == []
        make_router(road, router)
        assert answers(alice.guest, f"via {ROUTER} dev eth0") == list(HOST_ADDRESSES)


@pytest.mark.isolation
def test_an_address_thief_gets_nothing(road: NetworkRoad, two: tuple[Rented, Rented]) -> None:
    """X-2: a VM that takes the address of its neighbour, whom the share admits, is refused; where
    nothing holds it back it gets the share."""
    bob = two[1]
    theirs = bob.tenant.share(NEIGHBOUR)
    host, guest = road.lab.hosts[COMPUTE], bob.guest
    client = NfsClient(guest)
    guest.sh(f"ip addr del {VM}/24 dev eth0; ip addr add {NEIGHBOUR}/24 dev eth0")
    try:
        stolen = client.mount(bob.server, theirs.pseudo, "/mnt/stolen", timeout=4)
        assert not stolen.ok
        hold_back(host, bob.nic.tap, bob.nic.mac, f"{NEIGHBOUR}/24")
        assert client.mount(bob.server, theirs.pseudo, "/mnt/stolen").ok
        client.umount("/mnt/stolen")
    finally:
        hold_back(host, bob.nic.tap, bob.nic.mac, f"{VM}/24")
        guest.sh(f"ip addr del {NEIGHBOUR}/24 dev eth0; ip addr add {VM}/24 dev eth0")
