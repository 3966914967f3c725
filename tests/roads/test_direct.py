"""The direct road with real VMs: mount, write, read back, grow, shrink, fill, delete."""

from __future__ import annotations

import contextlib
import functools
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.lab.nfs_client import NfsClient
from tests.live.api import Refused
from tests.roads.direct import ALICE, BOB, Direct, Shared

if TYPE_CHECKING:
    from tests.lab.guest import Guest

# One service and two guests serve the whole module.
pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("direct")]
ROAD = functools.partial(Direct, hosts=(ALICE, BOB))

GIB = 1 << 30


@pytest.fixture(scope="module")
def share(direct: Direct) -> Shared:
    """A share that admits both guests, by both of their addresses."""
    networks = (str(direct.segment.network), str(direct.segment.network6))
    return direct.share(*networks, name="both")


def test_a_share_has_locations_and_needs_no_network_object(direct: Direct, share: Shared) -> None:
    """D-I1, D-S1: one location for each configured address, IPv4 and IPv6. D-M3: nothing but
    the service itself runs here, no Keystone, Neutron, Nova or Cinder."""
    found = direct.api.get(f"/shares/{share.id}/export_locations")["export_locations"]
    hosts = (direct.segment.server, f"[{direct.segment.server6}]")
    assert [location["path"] for location in found] == [f"{h}:{share.pseudo}" for h in hosts]
    assert found[0]["preferred"] in (True, False)
    as_admin = direct.admin.get(f"/shares/{share.id}/export_locations")["export_locations"]
    assert [location["is_admin_only"] for location in as_admin] == [False, False]
    shown = direct.api.share(share.id)
    assert shown["share_network_id"] is None
    assert direct.service.config["api"].keys() == {"port"}


def test_a_share_network_is_refused_before_anything_happens(direct: Direct) -> None:
    """D-I2: 400, and there is no share in error afterwards."""
    before = direct.api.get("/shares", with_count="true")["count"]
    network = "0e2d3c4b-5a69-4788-9796-a5b4c3d2e1f0"
    with pytest.raises(Refused, match="share_network_id") as refused:
        direct.api.create_share(1, share_network_id=network)
    assert refused.value.status == 400
    assert direct.api.get("/shares", with_count="true")["count"] == before


def test_pools_say_that_only_rules_isolate(direct: Direct) -> None:
    """D-M1, and X-1: a pool that claims strong isolation is the one tested for it."""
    (pool,) = direct.admin.get("/scheduler-stats/pools/detail")["pools"]
    assert pool["capabilities"]["isolation"] == "acl"
    assert pool["capabilities"]["pool_isolation"] == "strong"


@pytest.mark.parametrize("version", ["4.1", "4.2"])
@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_one_guest_writes_and_the_other_reads(
    direct: Direct, alice: Guest, bob: Guest, share: Shared, version: str, six: bool
) -> None:
    """D-S1, D-S4"""
    server = direct.segment.server6 if six else direct.segment.server
    writer, reader, file = NfsClient(alice), NfsClient(bob), f"/mnt/share/{version}-{six}"
    for client in (writer, reader):
        mounted = client.mount(server, share.pseudo, version=version)
        assert mounted.ok, mounted.output
    try:
        options = alice.sh("grep /mnt/share /proc/mounts").output
        assert f"vers={version}" in options
        assert f"addr={server}" in options
        assert writer.write(file, "from alice").rc == 0
        assert writer.read(file).output == "from alice"
        assert reader.read(file).output == "from alice"
        assert reader.write(f"{file}-back", "from bob").rc == 0
        assert writer.read(f"{file}-back").output == "from bob"
    finally:
        writer.umount()
        reader.umount()


def test_a_share_holds_its_size_and_not_more(direct: Direct, alice: Guest) -> None:
    """D-S2, D-S5: df shows the size; ENOSPC at the limit; a mounted guest sees every change."""
    share = direct.share(alice.nics[0].address)
    client = direct.mount(alice, share)
    assert client.df().size == 1 * GIB
    alice.sh("fallocate -l 850M /mnt/share/most")
    fill = "dd if=/dev/zero of=/mnt/share/most bs=1M oflag=append conv=notrunc,fsync"
    full = alice.sh(fill, 90, check=False)
    assert full.rc != 0
    assert "No space left on device" in full.output
    filled = int(alice.sh("stat -c %s /mnt/share/most").output)
    assert 0.95 * GIB < filled <= 1 * GIB

    resize(direct, share, "extend", 2)
    assert client.df().size == 2 * GIB
    assert client.write("/mnt/share/more", "there is room again").rc == 0
    alice.sh("fallocate -l 1200M /mnt/share/most")

    resize(direct, share, "shrink", 1)
    assert direct.api.share(share.id)["size"] == 2
    (told,) = direct.api.get("/messages", resource_id=share.id)["messages"]
    assert told["detail_id"] == "018"
    assert "more data than the requested size" in told["user_message"]

    alice.sh("rm /mnt/share/most; sync")
    resize(direct, share, "shrink", 1)
    assert direct.api.share(share.id)["size"] == 1
    assert client.df().size == 1 * GIB
    assert client.read("/mnt/share/more").output == "there is room again"
    client.umount()


def resize(direct: Direct, share: Shared, action: str, size: int) -> None:
    """The share is available again, with whatever size."""
    direct.api.act(share.id, action, {"new_size": size})
    direct.api.wait_share(share.id)


def test_delete_succeeds_whatever_is_left_of_the_share(direct: Direct, alice: Guest) -> None:
    """D-S5 (LP 1888915): with a mounted client, and with nothing left on the backend."""
    used = direct.share(alice.nics[0].address)
    client = direct.mount(alice, used)
    assert client.write("/mnt/share/file", "soon gone").rc == 0
    direct.api.delete_share(used.id)
    assert alice.sh("ls /mnt/share", check=False).rc != 0
    alice.sh("umount -l /mnt/share")

    lost = direct.share()
    with contextlib.closing(direct.bus()) as bus:
        bus.remove_export(direct.export_id(lost))
    remove_image(direct, lost)
    direct.api.delete_share(lost.id)
    with pytest.raises(Refused) as refused:
        direct.api.delete_share(lost.id)
    assert refused.value.status == 404


def remove_image(direct: Direct, share: Shared) -> None:
    """Somebody unmounted the share and removed its image."""
    mount, image = direct.files(share)
    subprocess.run(["umount", mount], check=True)
    image.unlink()
