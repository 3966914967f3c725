"""The hypervisor road with real VMs: attach, mount, write, share, fill, detach."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.host import mount_table as table
from tests.live.api import Refused
from tests.roads.hypervisor import Hypervised, mount, v1
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.domain import Domain

# One service, one libvirtd and two guests serve the whole module.
pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("hypervisor")]
ROAD = Hypervised


@pytest.fixture(scope="module")
def alice(hv: Hypervised) -> Domain:
    return hv.domain(name="alice")


@pytest.fixture(scope="module")
def bob(hv: Hypervised) -> Domain:
    return hv.domain(name="bob")


def test_a_running_guest_without_a_network_uses_its_share(hv: Hypervised, alice: Domain) -> None:
    """H-I1, H-I4, H-I5, H-S1: plugged in while it runs; the guest has no way to any storage."""
    assert alice.sh("ls /sys/class/net").output.split() == ["lo"]
    share = hv.share()
    attached = hv.attach(share, alice)
    assert (attached["driver"], attached["tag"], attached["cold"]) == ("virtiofs", share, False)
    mount(alice, attached)
    alice.sh("echo from the guest > /mnt/share/file")
    assert (hv.inside(share) / "file").read_text() == "from the guest\n"
    (hv.inside(share) / "file").write_text("from the host\n")
    assert alice.sh("cat /mnt/share/file").output == "from the host\n"
    alice.sh("umount /mnt/share")
    hv.detach(attached["id"])
    assert hv.left(attached["id"]) == []
    assert hv.mounted() == []
    # The share is where it was, with what the guest wrote last.
    assert (hv.inside(share) / "file").read_text() == "from the host\n"
    hv.api.delete_share(share)


def test_an_attachment_is_an_object_that_says_what_to_do(hv: Hypervised, alice: Domain) -> None:
    """H-M1, H-I3: its tag is the share's id unless one is chosen; hosts are for administrators."""
    share = hv.share()
    made = hv.attach(share, alice, tag="data", access_level="ro")
    shown = v1(hv.api, "GET", f"/attachments/{made['id']}")["attachment"]
    assert "host" not in shown
    assert made["host"] == "node1"
    assert shown.items() <= made.items()
    assert (shown["share_id"], shown["vm_id"], shown["vm_name"]) == (share, alice.id, "alice")
    assert (shown["state"], shown["access_level"], shown["tag"]) == ("active", "ro", "data")
    assert shown["mount_command"] == "mount -t virtiofs -o ro data /mnt"
    for query in (f"share_id={share}", "vm=alice", f"vm={alice.id}", "state=active"):
        found = v1(hv.api, "GET", f"/attachments?{query}")["attachments"]
        assert made["id"] in [a["id"] for a in found]
    assert v1(hv.api, "GET", "/attachments?state=broken")["attachments"] == []
    hv.detach(made["id"])
    hv.api.delete_share(share)


def test_its_size_is_the_shares_and_the_limit_holds(hv: Hypervised, alice: Domain) -> None:
    """H-S3, and what `df` shows: the share's own size, not the host's."""
    share = hv.share(size=1)
    attached = hv.attach(share, alice)
    mount(alice, attached)
    blocks = int(alice.sh("df -k /mnt/share | tail -n 1").output.split()[-5])
    assert blocks == 1 << 20
    with (hv.inside(share) / "most").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 960 << 20)
    full = alice.sh("dd if=/dev/zero of=/mnt/share/big bs=1M count=100 2>&1", check=False)
    assert full.rc != 0
    assert "No space left on device" in full.output
    alice.sh("rm /mnt/share/big; until echo again > /mnt/share/small; do sleep 0.1; done")
    alice.sh("umount /mnt/share")
    hv.detach(attached["id"])


def test_two_vms_of_one_host_share_and_the_first_may_leave(
    hv: Hypervised, alice: Domain, bob: Domain
) -> None:
    """H-I11, H-S2: what one has written the other reads at once; the first detach leaves the
    host's one mount for the second. Each VM's daemon sees its own view only: H-S4."""
    share, private = hv.share(), hv.share()
    (hv.inside(private) / "secret").write_text("bob's")
    first, second = hv.attach(share, alice), hv.attach(share, bob)
    other = hv.attach(private, bob)
    assert hv.mounted() == sorted(f"{hv.instance(s)}/rw" for s in (share, private))
    for guest, one in ((alice, first), (bob, second)):
        assert one["cache"] == "never"
        mount(guest, one)
    for number in range(5):
        text = "x" * (number * 7 + 1)
        alice.sh(f"echo -n {text} > /mnt/share/file")
        seen = bob.sh("cat /mnt/share/file; stat -c %s /mnt/share/file").output
        assert seen == f"{text}{len(text)}\n"
    for one, point in ((first, share), (second, share), (other, private)):
        seen = table.at(hv.inside(point))
        assert seen
        assert _view_of_daemon(hv, one["id"]) == {("/", seen.device)}
    alice.sh("umount /mnt/share")
    hv.detach(first["id"])
    assert hv.left(first["id"]) == []
    bob.sh("echo still > /mnt/share/file")
    assert (hv.inside(share) / "file").read_text() == "still\n"
    bob.sh("umount /mnt/share")
    hv.detach(second["id"])
    assert hv.mounted() == [f"{hv.instance(private)}/rw"]
    hv.detach(other["id"])


def _view_of_daemon(hv: Hypervised, attachment_id: str) -> set[tuple[str, str]]:
    """What the daemon's process that serves the guest has mounted: all it could ever reach."""
    views = [table.lines(pid) for pid in hv.daemons(attachment_id)]
    # Its first process waits outside of the sandbox and opens nothing for a guest.
    return {(seen.point, seen.device) for seen in min(views, key=len)}


def test_what_locks_mean_is_told(hv: Hypervised, alice: Domain) -> None:
    """H-S2: that two guests can hold one lock; that they do is seen in the driver's own tests
    (tests/unit/drivers/hypervisor/test_locks.py)."""
    attached = hv.attach(hv.share(), alice)
    assert "two guests" in attached["locks"]
    hv.detach(attached["id"])


def test_a_share_of_many_writers_is_never_cached_for_good(hv: Hypervised, alice: Domain) -> None:
    """H-S2"""
    with pytest.raises(Refused, match="second writer") as refused:
        hv.attach(hv.share(), alice, cache="always")
    assert refused.value.status == 400


def test_a_vm_that_is_off_gets_both_kinds_at_its_start(hv: Hypervised) -> None:
    """H-I5, H-I9: 9p (VirtFS) is cold; the guest finds the tag in its own sysfs."""
    by_9p, by_virtiofs = hv.share(), hv.share()
    carol = hv.domain(name="carol", running=False)
    nine = hv.attach(by_9p, carol, driver="9p", state="inactive")
    fast = hv.attach(by_virtiofs, carol, state="inactive")
    assert (nine["driver"], fast["driver"]) == ("9p", "virtiofs")
    assert len(nine["tag"]) <= 31
    carol.power_on()
    for one in (nine, fast):
        hv.wait_attachment(one["id"], "active")
    tags = carol.sh("cat /sys/bus/virtio/drivers/9pnet_virtio/*/mount_tag").output
    assert tags.rstrip("\0\n") == nine["tag"]
    mount(carol, nine, "/mnt/nine")
    mount(carol, fast, "/mnt/fast")
    carol.sh("echo by 9p > /mnt/nine/file; echo by virtiofs > /mnt/fast/file")
    assert (hv.inside(by_9p) / "file").read_text() == "by 9p\n"
    assert (hv.inside(by_virtiofs) / "file").read_text() == "by virtiofs\n"
    blocks = int(carol.sh("df -k /mnt/nine | tail -n 1").output.split()[-5])
    assert 0 <= (1 << 20) - blocks < 64  # in blocks of 32 KiB
    # libvirt takes no 9p device from a running VM: it stays, and says so, until the VM stops.
    hv.detach(nine["id"], wait=False)
    operation = _waiting(hv, nine["id"])
    assert "has not released" in operation["error"]
    assert carol.sh("cat /mnt/nine/file").output == "by 9p\n"
    assert hv.shown(nine["id"])["state"] == "detaching"
    carol.close()
    for one in (nine, fast):
        hv.wait_gone(one["id"])
        assert hv.left(one["id"]) == []


def _waiting(hv: Hypervised, attachment_id: str) -> dict:
    def look() -> dict | None:
        found = hv.operations(attachment_id)
        return next((o for o in found if o["verb"] == "attachment.detach" and o["error"]), None)

    return until(look, "a detachment that waits for the guest")


def test_a_9p_device_leaves_by_force(hv: Hypervised) -> None:
    """H-I2: by powering the VM off."""
    share = hv.share()
    dave = hv.domain(name="dave", running=False)
    nine = hv.attach(share, dave, driver="9p", state="inactive")
    dave.power_on()
    mount(dave, nine)
    hv.detach(nine["id"], force=True)
    assert hv.left(nine["id"]) == []
    hv.wait_vm(dave, running=False)


def test_the_host_is_on_record(hv: Hypervised, alice: Domain) -> None:
    """H-M3, H-M4: versions and abilities as libvirt and the daemon tell; the VM's with them."""
    with hv.database() as database:
        ((text,),) = database.execute("SELECT facts FROM compute_hosts").fetchall()
    facts = json.loads(text)
    assert tuple(map(int, facts["qemu"].split("."))) >= (5, 0)
    assert tuple(map(int, facts["libvirt"].split("."))) >= (6, 2)
    assert facts["virtiofsd"]
    assert facts["shared_memory"] is True
    assert {"virtiofs", "9p"} == set(facts["drivers"])
    assert "nfs_client" in facts
    vm = hv.wait_vm(alice, running=True)
    assert (vm["shared_memory"], vm["project_id"]) == (True, hv.project)
    assert vm["free_ports"] > 0
    placement = v1(hv.admin, "GET", f"/vms/{alice.id}/hosts")["placement"]
    assert placement == {"compatible": ["node1"], "incompatible": []}
