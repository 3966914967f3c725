"""The gateway road with real VMs and a real filer that knows storage addresses only: two tenants
with the same addresses, and nothing passes but what a rule admits."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.lab import nfs4
from tests.lab.frames import Capture, ipv4_ends
from tests.lab.netns import in_thread
from tests.lab.nfs_client import NfsClient
from tests.roads.direct import Writer
from tests.roads.gateway import DEVICE, FILER, GatewayRoad
from tests.roads.network import Rented, address_of, level, mount
from tests.waiting import until

if TYPE_CHECKING:
    pass

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]
ROAD = GatewayRoad

VM, OTHER, THIRD = "10.0.0.50", "10.0.0.60", "10.0.0.70"


@pytest.mark.isolation
def test_two_tenants_with_equal_addresses(
    road: GatewayRoad, two: tuple[Rented, Rented], mounted: tuple[NfsClient, NfsClient]
) -> None:
    """G-I1, G-I3, G-S1: each reaches its own share only, and the filer sees neither of them."""
    alice, bob = two
    assert alice.server == bob.server == "10.0.0.3"
    assert road.server(alice.tenant)["id"] != road.server(bob.tenant)["id"]
    for client, word in zip(mounted, ("alice's", "bob's"), strict=True):
        assert client.write("/mnt/share/file", word).rc == 0
    for client, word in zip(mounted, ("alice's", "bob's"), strict=True):
        assert client.read("/mnt/share/file").output == word
    for one, other in ((alice, bob), (bob, alice)):
        refused = NfsClient(one.guest).mount(one.server, other.share.pseudo, "/mnt/other")
        assert not refused.ok
        assert "No such file" in refused.output
    for one in two:
        sources = road.sources(one.share)
        assert road.at_filer(one.share) == {sources["rw"]: "rw"}


@pytest.mark.isolation
def test_the_storage_network_carries_storage_addresses_only(
    road: GatewayRoad, two: tuple[Rented, Rented], mounted: tuple[NfsClient, NfsClient]
) -> None:
    """G-I1: no packet of a tenant is there but as one of its share's own addresses (captured)."""
    known = {s for one in two for s in road.sources(one.share).values()} | {FILER} | road.own()
    for one in two:  # so that even a broken gateway would have somewhere to send it
        one.guest.sh(f"ip route replace {FILER}/32 via {one.server} dev eth0")
    with Capture(road.host.netns, DEVICE) as capture:
        for one, client in zip(two, mounted, strict=True):
            secret = secrets.token_hex(16)
            assert client.write("/mnt/share/frame", secret).rc == 0
            capture.wait_for(secret.encode())
            tried = one.guest.sh(
                f"nc -w 2 {FILER} 2049 < /dev/null && echo in; ping -c 1 -W 1 {FILER}"
                " && echo in; true"
            )
            assert "in" not in tried.output.split()
    for one in two:
        one.guest.sh(f"ip route del {FILER}/32")
    ends = [address for frame in capture.frames for address in ipv4_ends(frame)]
    assert FILER in ends
    assert {a for a in ends if a not in known and not a.startswith("172.30.0.")} == set()
    data = {a for f in capture.frames for a in ipv4_ends(f) if is_nfs(f)}
    assert data <= known


@pytest.mark.isolation
def test_who_comes_is_decided_at_the_gateway(road: GatewayRoad) -> None:
    """G-I2: by address and by network, the most specific rule first; a stranger is told at once."""
    tenant = road.tenant("carol")
    share = tenant.share(VM)
    tenant.api.allow(share.id, "10.0.0.64/26", "ro")
    server, sources = address_of(tenant.api, share), road.sources(share)
    assert road.at_filer(share) == {sources["rw"]: "rw", sources["ro"]: "ro"}
    with (
        road.client(tenant, VM) as writer,
        road.client(tenant, THIRD) as reader,
        road.client(tenant, OTHER) as stranger,
    ):
        assert level(writer, server, share) == "rw"
        assert level(reader, server, share) == "ro"
        with pytest.raises(ConnectionRefusedError):  # not a hang
            level(stranger, server, share)
        rule = tenant.api.allow(share.id, THIRD, "rw")
        assert level(reader, server, share) == "rw"
        tenant.api.deny(share.id, rule["id"])
        assert level(reader, server, share) == "ro"


def test_one_port_is_all_that_a_security_group_has_to_admit(road: GatewayRoad) -> None:
    """G-I6: whatever port a client comes from, it speaks with 2049/tcp; there is no other, and
    nobody calls it back."""
    tenant = road.tenant("erin")
    share = tenant.share(VM)
    server = address_of(tenant.api, share)
    with road.client(tenant, VM) as client:
        with Capture(client.netns, client.device) as capture:
            assert level(client, server, share) == "rw"
            for source in (600, 0):
                assert in_thread(client.netns, lambda s=source: _opens(server, 2049, s))
            for port in (22, 111, 20048, 32803):  # a shell; what NFSv3 would need
                assert not in_thread(client.netns, lambda p=port: _opens(server, p))
        said = [
            frame for frame in capture.frames if VM in ipv4_ends(frame)[1:] and not _resets(frame)
        ]
        assert said
        assert all(is_nfs(frame) for frame in said)
        assert not any(_opens_connection(frame) for frame in said)


@pytest.mark.parametrize("version", ["4.1", "4.2"])
def test_each_version_of_the_protocol(two: tuple[Rented, Rented], version: str) -> None:
    client = two[0].mount("/mnt/versions", version=version)
    assert f"vers={version}" in two[0].guest.sh("grep /mnt/versions /proc/mounts").output
    assert client.write("/mnt/versions/v", version).rc == 0
    client.umount("/mnt/versions")


@pytest.mark.isolation
def test_read_only_stays_read_only(road: GatewayRoad, two: tuple[Rented, Rented]) -> None:
    alice = two[0]
    share = alice.tenant.share(VM, level="ro")
    server = address_of(alice.tenant.api, share)
    assert road.at_filer(share) == {road.sources(share)["ro"]: "ro"}
    client = mount(alice.guest, server, share, "/mnt/ro")
    refused = client.write("/mnt/ro/file", "x")
    assert refused.rc != 0
    assert "Read-only" in refused.output
    client.umount("/mnt/ro")


@pytest.mark.isolation
def test_a_denied_client_is_cut_off_with_its_file_open(
    road: GatewayRoad, two: tuple[Rented, Rented]
) -> None:
    """G-I2, X-3: at the gateway at once, and at the filer; admitted again it goes on."""
    alice = two[0]
    share = alice.tenant.share()
    rule = alice.tenant.api.allow(share.id, VM)
    server = address_of(alice.tenant.api, share)
    client = mount(alice.guest, server, share, "/mnt/cut", options="soft,timeo=10,retrans=1,noac")
    assert client.write("/mnt/cut/file", "before").rc == 0
    alice.tenant.api.deny(share.id, rule["id"])
    assert road.at_filer(share) == {}
    assert client.write("/mnt/cut/file", "after", timeout=60).rc != 0
    alice.tenant.api.allow(share.id, VM)
    until(lambda: client.read("/mnt/cut/file").output == "before", "it reads again")
    alice.guest.sh("umount -l /mnt/cut")


def test_the_filer_restarts_under_load(road: GatewayRoad, two: tuple[Rented, Rented]) -> None:
    """The file stays open in the guest, and nothing is lost."""
    bob = two[1]
    bob.mount("/mnt/load")
    writer = Writer(bob.guest, "/mnt/load")
    road.filer.kill()
    road.filer.start()
    writer.wait_lines(3)
    writer.finish()
    bob.guest.sh("umount /mnt/load")


@pytest.mark.isolation
def test_a_forged_handle_does_not_leave_the_tenants_own_shares(
    road: GatewayRoad, two: tuple[Rented, Rented]
) -> None:
    """X-1 as far as one filesystem on the filer allows: the filer is told by the address from which
    a request comes which exports it may name, so another tenant's export id is refused."""
    alice, bob = two
    with road.client(bob.tenant, OTHER) as neighbour:
        bob.tenant.api.allow(bob.share.id, OTHER)
        with nfs4.Client(bob.server, netns=neighbour.netns) as session:
            with pytest.raises(nfs4.NfsError) as refused:
                session.lookup(alice.share.pseudo)
            assert refused.value.status_name in ("NOENT", "ACCESS")


def test_gateways_are_visible(road: GatewayRoad, two: tuple[Rented, Rented]) -> None:
    """G-M1, G-M2, G-S2: made without any image; kind, variant; and whether sizes are enforced is
    said before a share is made."""
    details = road.server(two[0].tenant)["backend_details"]
    assert (details["kind"], details["variant"]) == ("gateway", "l4")
    (pool,) = road.admin.get("/scheduler-stats/pools/detail")["pools"]
    told = pool["capabilities"]
    assert (told["gateway"], told["size_enforced"], told["isolation"]) == ("l4", False, "network")


def test_nothing_is_left_on_either_side(road: GatewayRoad) -> None:
    """G-I5: neither address nor export."""
    before = road.leased(), road.filer.exports()
    tenant = road.tenant("dave")
    share = tenant.share(VM)
    assert road.leased() == before[0] + 3
    tenant.api.delete_share(share.id)
    assert (road.leased(), road.filer.exports()) == before
    assert share.instance not in {p.name for p in road.filer.tree.rglob("*")}


def _opens(server: str, port: int, source: int = 0) -> bool:
    """A connection from that port of the client's is taken."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((VM, source))
        tried.settimeout(2)
        return tried.connect_ex((server, port)) == 0


def _flags(frame: bytes) -> int:
    return frame[14 + (frame[14] & 15) * 4 + 13] if frame[23] == socket.IPPROTO_TCP else 0


def _resets(frame: bytes) -> bool:
    """It refuses a connection, as any port does that nobody listens on."""
    return bool(_flags(frame) & 0x04)


def _opens_connection(frame: bytes) -> bool:
    return _flags(frame) & 0x12 == 0x02  # SYN without ACK


def is_nfs(frame: bytes) -> bool:
    """It is TCP from or to the NFS port."""
    start = 14 + (frame[14] & 15) * 4
    return frame[23] == 6 and 2049 in struct.unpack_from("!HH", frame, start)
