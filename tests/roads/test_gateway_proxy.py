"""The gateway road's second variant with real VMs: each share has a gateway of its own that speaks
NFS with both sides, and the filer's exports have other names than the tenants'."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from roadstead.drivers.filer.paths import share_path
from tests.lab import nfs4
from tests.lab.netns import in_thread
from tests.lab.nfs_client import NfsClient
from tests.roads.direct import Writer
from tests.roads.gateway import FILER, GatewayRoad
from tests.roads.network import (
    Rented,
    address_of,
    connects,
    is_server,
    level,
    mount,
    place_netns,
    processes,
)
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory
    from tests.roads.direct import Shared

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

VM, OTHER, THIRD = "10.0.0.50", "10.0.0.60", "10.0.0.70"
PREFIX = "/nas/tenants"


class ProxyRoad(GatewayRoad):
    """A service whose gateways are proxies."""

    export = "gateway-proxy"
    # How long the filer lets nobody open files after its restart, at the most.
    filer_options: ClassVar[dict[str, Any]] = {"lease_seconds": 20}

    def backend(self) -> dict[str, Any]:
        return {**super().backend(), "export_options": {"filer_prefix": PREFIX}}

    def server_of(self, share: Shared) -> dict[str, Any]:
        """The share's own gateway."""
        with contextlib.closing(self.database()) as database:
            query = "SELECT share_server_id FROM share_instances WHERE id = ?"
            (server_id,) = database.execute(query, (share.instance,)).fetchone()
        return self.admin.get(f"/share-servers/{server_id}")["share_server"]

    def storage_address(self, share: Shared) -> str:
        """As whom the filer sees the share's gateway."""
        with contextlib.closing(self.database()) as database:
            query = (
                "SELECT address FROM address_leases WHERE share_server_id = ?"
                " AND address LIKE '172.30.%'"
            )
            return database.execute(query, (self.server_of(share)["id"],)).fetchone()[0]

    def at_filer(self, share: Shared) -> dict[str, str] | None:
        return self.filer.clients().get(PREFIX + share.pseudo)

    def gateway_pids(self, share: Shared) -> list[int]:
        """The process of the share's gateway."""
        conf = f"/{self.server_of(share)['id']}/ganesha.conf"
        return [
            pid
            for pid, words in processes().items()
            if is_server(words, self.service.state) and any(word.endswith(conf) for word in words)
        ]

    def inside(self, share: Shared, file: str) -> str:
        """A file below /proc/sys/net of the share's gateway."""
        netns = place_netns(self.server_of(share)["id"])
        return in_thread(netns, Path("/proc/sys/net", file).read_text).strip()


ROAD = ProxyRoad


@pytest.fixture(scope="module")
def alice(road: ProxyRoad, guest_factory: GuestFactory) -> Rented:
    made = Rented(road, "alice")
    made.guest = guest_factory([made.nic], modules=["nfsv4"])
    return made


@pytest.fixture(scope="module")
def bob(road: ProxyRoad) -> Rented:
    """Another tenant with the same addresses, without a VM."""
    return Rented(road, "bob")


@pytest.mark.parametrize("version", ["4.1", "4.2"])
def test_a_vm_reads_and_writes(road: ProxyRoad, alice: Rented, version: str) -> None:
    """G-I1, G-I2, G-S1: the filer has its own name for the share and sees the gateway only."""
    client = alice.mount(version=version)
    assert client.write("/mnt/share/file", f"by {version}").rc == 0
    assert client.read("/mnt/share/file").output == f"by {version}"
    client.umount()
    path = share_path(str(road.filer.tree), alice.share.instance)
    assert Path(path, "file").read_text() == f"by {version}"
    assert road.at_filer(alice.share) == {road.storage_address(alice.share): "rw"}
    assert PREFIX + alice.share.pseudo in road.filer.exports().values()


@pytest.mark.isolation
def test_who_comes_is_decided_at_the_gateway(road: ProxyRoad) -> None:
    """G-I2, X-3: by address and by network; the filer admits no more than the rules do."""
    tenant = road.tenant("carol")
    share = tenant.share()
    server, own = address_of(tenant.api, share), road.storage_address(share)
    assert road.at_filer(share) == {own: "ro"}
    tenant.api.allow(share.id, "10.0.0.64/26", "ro")
    assert road.at_filer(share) == {own: "ro"}
    with (
        road.client(tenant, VM) as writer,
        road.client(tenant, THIRD) as reader,
        road.client(tenant, OTHER) as stranger,
    ):
        rule = tenant.api.allow(share.id, VM)
        assert road.at_filer(share) == {own: "rw"}
        assert level(writer, server, share) == "rw"
        assert level(reader, server, share) == "ro"
        assert level(stranger, server, share) == "none"
        tenant.api.deny(share.id, rule["id"])
        assert road.at_filer(share) == {own: "ro"}
        assert level(writer, server, share) == "none"


def test_each_share_has_a_gateway_of_its_own(road: ProxyRoad, alice: Rented) -> None:
    """X-1, G-I3: whoever forges a file handle reaches nothing but the share it was admitted to."""
    second = alice.tenant.share(VM)
    one, two = road.server_of(alice.share), road.server_of(second)
    assert one["id"] != two["id"]
    assert address_of(alice.tenant.api, second) != alice.server
    assert road.storage_address(second) != road.storage_address(alice.share)
    with road.client(alice.tenant, OTHER) as client:
        alice.tenant.api.allow(second.id, OTHER)
        with (
            nfs4.Client(address_of(alice.tenant.api, second), netns=client.netns) as session,
            pytest.raises(nfs4.NfsError) as refused,
        ):
            session.lookup(alice.share.pseudo)
        assert refused.value.status_name == "NOENT"
    alice.tenant.api.delete_share(second.id)


@pytest.mark.isolation
def test_another_tenants_share_is_out_of_reach(road: ProxyRoad, alice: Rented, bob: Rented) -> None:
    """G-I1, G-I3, N-I3: with equal addresses, and a route to the storage network."""
    assert alice.server == bob.server
    refused = NfsClient(alice.guest).mount(alice.server, bob.share.pseudo, "/mnt/other")
    assert not refused.ok
    assert "No such file" in refused.output
    own = road.storage_address(alice.share)
    for address in (FILER, own):
        alice.guest.sh(f"ip route replace {address}/32 via {alice.server} dev eth0")
        tried = alice.guest.sh(
            f"nc -w 2 {address} 2049 < /dev/null && echo in; ping -c 1 -W 1 {address} && echo in;"
            f" ip route del {address}/32 dev eth0; true"
        )
        assert "in" not in tried.output.split()
    assert road.inside(alice.share, "ipv4/ip_forward") == "0"
    assert road.inside(alice.share, "ipv6/conf/all/forwarding") == "0"


@pytest.mark.isolation
def test_the_gateway_does_not_serve_the_storage_network(road: ProxyRoad, alice: Rented) -> None:
    """G-S1: nobody on the storage network mounts by it, whatever address he takes."""
    own = road.storage_address(alice.share)

    class Filer:
        netns = road.filer.netns

    assert not connects(Filer, own)  # type: ignore[arg-type]


@pytest.mark.isolation
def test_read_only_stays_read_only(road: ProxyRoad, alice: Rented) -> None:
    share = alice.tenant.share(VM, level="ro")
    server = address_of(alice.tenant.api, share)
    assert road.at_filer(share) == {road.storage_address(share): "ro"}
    client = mount(alice.guest, server, share, "/mnt/ro")
    refused = client.write("/mnt/ro/file", "x")
    assert refused.rc != 0
    assert "Read-only" in refused.output
    client.umount("/mnt/ro")
    alice.tenant.api.delete_share(share.id)


@pytest.mark.isolation
def test_a_denied_client_is_cut_off_with_its_file_open(road: ProxyRoad, alice: Rented) -> None:
    """G-I2, X-3: at once; admitted again it goes on."""
    share = alice.tenant.share()
    rule = alice.tenant.api.allow(share.id, VM)
    server = address_of(alice.tenant.api, share)
    client = mount(alice.guest, server, share, "/mnt/cut", options="soft,timeo=10,retrans=1,noac")
    script = "exec 3> /mnt/cut/file; echo before >&3; sync; until [ -e /tmp/go ]; do sleep .1; done"
    job = alice.guest.start(f"rm -f /tmp/go; {script}; echo after >&3 && sync /mnt/cut/file")
    until(lambda: client.read("/mnt/cut/file").output.strip() == "before", "it is open")
    alice.tenant.api.deny(share.id, rule["id"])
    assert road.at_filer(share) == {road.storage_address(share): "ro"}
    assert client.write("/mnt/cut/more", "x").rc != 0
    alice.guest.sh("touch /tmp/go")
    assert job.outcome.result(60).rc != 0
    alice.tenant.api.allow(share.id, VM)
    until(lambda: client.read("/mnt/cut/file").output.strip() == "before", "it reads again")
    client.umount("/mnt/cut")
    alice.tenant.api.delete_share(share.id)


def test_the_filer_restarts_under_load(road: ProxyRoad, alice: Rented) -> None:
    """G-I4: the gateway's session with the filer is dead for good. That is found and mended; a file
    that is open in the VM stays open, and nothing is lost."""
    alice.mount("/mnt/load", options="noac,sync")
    writer = Writer(alice.guest, "/mnt/load")
    before = road.gateway_pids(alice.share)
    road.filer.kill()
    road.filer.start()
    writer.wait_lines(3)
    writer.finish()
    alice.guest.sh("umount /mnt/load")
    assert road.gateway_pids(alice.share) not in (before, [])


def test_the_gateway_dies_under_load(road: ProxyRoad, alice: Rented) -> None:
    """G-I4, G-I5: it is started anew, with the rules it had."""
    alice.mount("/mnt/load", options="noac,sync")
    writer = Writer(alice.guest, "/mnt/load")
    (pid,) = road.gateway_pids(alice.share)
    os.kill(pid, signal.SIGKILL)
    writer.wait_lines(3)
    writer.finish()
    alice.guest.sh("umount /mnt/load")


def test_gateways_are_visible(road: ProxyRoad, alice: Rented) -> None:
    """G-M2: kind, variant, and what the scheduler chooses by."""
    details = road.server_of(alice.share)["backend_details"]
    assert (details["kind"], details["variant"]) == ("gateway", "proxy")
    (pool,) = road.admin.get("/scheduler-stats/pools/detail")["pools"]
    told = pool["capabilities"]
    assert (told["gateway"], told["max_shares_per_share_server"]) == ("proxy", 1)


def test_nothing_is_left_on_either_side(road: ProxyRoad) -> None:
    """G-I5: neither process nor export, and the server goes with its only share."""
    exports, counted = road.filer.exports(), road.count()["server"]
    tenant = road.tenant("dave")
    share = tenant.share(VM)
    assert road.count()["server"] == counted + 1
    tenant.api.delete_share(share.id)
    assert road.filer.exports() == exports
    assert share.instance not in {p.name for p in road.filer.tree.rglob("*")}
