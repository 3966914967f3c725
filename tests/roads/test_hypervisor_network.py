"""The hypervisor road over a real network: the compute host mounts NFS, its VMs have virtiofs.

This machine's kernel has no NFS client; the host mounts by FUSE, by NFSv3.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.host import mount_table as table
from tests.lab import nfs4
from tests.live.api import Refused
from tests.roads.direct import Shared, level_of
from tests.roads.hypervisor import Hypervised, mount, v1
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.domain import Domain

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("hypervisor-network")]
ROAD = functools.partial(Hypervised, network=True)


@pytest.fixture(scope="module")
def alice(hv: Hypervised) -> Domain:
    return hv.domain(name="alice")


@pytest.fixture(scope="module")
def bob(hv: Hypervised) -> Domain:
    return hv.domain(name="bob")


def rules(hv: Hypervised, share: str) -> dict[str, tuple[str, str]]:
    return {r["access_to"]: (r["access_level"], r["state"]) for r in hv.api.rules(share)}


def test_two_vms_share_one_grant_until_the_last_has_gone(
    hv: Hypervised, alice: Domain, bob: Domain
) -> None:
    """H-I1, H-I11, H-S1, H-S3: rule, mount, view, device; the guests have no network at all, and
    another client of the export server is not admitted."""
    share = hv.share()
    first, second = hv.attach(share, alice), hv.attach(share, bob)
    assert rules(hv, share) == {hv.address: ("rw", "active")}
    (rule,) = hv.api.rules(share)
    assert rule["metadata"] == {"reason": "attachments of VMs"}
    point = hv.mounts / hv.instance(share) / "rw/mount"
    seen = table.at(point)
    assert seen
    assert (seen.fstype, seen.source) == ("fuse.nfs", hv.api.paths(share)[0])
    assert {"nosuid", "nodev"} <= seen.options
    for guest, attached in ((alice, first), (bob, second)):
        assert guest.sh("ls /sys/class/net").output.split() == ["lo"]
        mount(guest, attached)
    alice.sh("echo from alice > /mnt/share/file")
    assert bob.sh("cat /mnt/share/file").output == "from alice\n"
    assert (hv.inside(share) / "file").read_text() == "from alice\n"
    # What the server itself says of the address it saw, and of any other.
    shared = Shared(share, f"/share-{hv.instance(share)}", hv.instance(share))
    stranger = hv.segment.client_ns(99)
    with nfs4.Client(hv.segment.server, netns=stranger.netns) as session:
        assert level_of(session, shared) == "none"
    with nfs4.Client(hv.segment.server) as session:  # as this host
        assert level_of(session, shared) == "rw"
    alice.sh("umount /mnt/share")
    hv.detach(first["id"])
    assert rules(hv, share) == {hv.address: ("rw", "active")}
    bob.sh("echo still > /mnt/share/file")
    assert (hv.inside(share) / "file").read_text() == "still\n"
    bob.sh("umount /mnt/share")
    hv.detach(second["id"])
    assert rules(hv, share) == {}
    assert hv.mounted() == []
    with nfs4.Client(hv.segment.server) as session:
        assert level_of(session, shared) == "none"
    hv.api.delete_share(share)


def test_its_size_and_its_limit_come_through(hv: Hypervised, alice: Domain) -> None:
    share = hv.share()
    attached = hv.attach(share, alice)
    mount(alice, attached)
    blocks = int(alice.sh("df -k /mnt/share | tail -n 1").output.split()[-5])
    assert blocks == 1 << 20
    alice.sh("umount /mnt/share")
    hv.detach(attached["id"])


@pytest.mark.isolation
def test_the_grant_is_no_wider_than_needed(hv: Hypervised, alice: Domain, bob: Domain) -> None:
    """H-I6: a reader gets the host a read-only rule; it grows when somebody writes."""
    share = hv.share()
    reader = hv.attach(share, alice, access_level="ro")
    assert rules(hv, share) == {hv.address: ("ro", "active")}
    mount(alice, {**reader, "mount_command": f"mount -t virtiofs {reader['tag']} /mnt"})
    assert alice.sh("touch /mnt/share/file", check=False).rc != 0
    writer = hv.attach(share, bob)
    assert rules(hv, share) == {hv.address: ("rw", "active")}
    assert hv.mounted() == [f"{hv.instance(share)}/ro", f"{hv.instance(share)}/rw"]
    mount(bob, writer)
    bob.sh("echo x > /mnt/share/file")
    assert alice.sh("echo y > /mnt/share/file", check=False).rc != 0
    assert alice.sh("cat /mnt/share/file").output == "x\n"
    for guest, attached in ((alice, reader), (bob, writer)):
        guest.sh("umount /mnt/share")
        hv.detach(attached["id"])
    assert rules(hv, share) == {}


def test_the_rule_is_locked_while_it_is_needed(hv: Hypervised, alice: Domain) -> None:
    """H-M2: neither denied nor narrowed by the user; the answer says why."""
    share = hv.share()
    attached = hv.attach(share, alice)
    (rule,) = hv.api.rules(share)
    body = {"update_access": {"access_level": "ro"}}
    for attempt in (
        lambda: hv.api.deny(share, rule["id"], wait=False),
        lambda: hv.api.call("PUT", f"/share-access-rules/{rule['id']}", body),
    ):
        with pytest.raises(Refused, match="attach") as refused:
            attempt()
        assert refused.value.status == 403
    assert rules(hv, share) == {hv.address: ("rw", "active")}
    hv.detach(attached["id"])
    assert rules(hv, share) == {}


def test_the_users_own_rule_is_used_and_left(hv: Hypervised, alice: Domain) -> None:
    """H-I11"""
    share = hv.share()
    mine = hv.api.allow(share, hv.address)
    attached = hv.attach(share, alice)
    assert [r["id"] for r in hv.api.rules(share)] == [mine["id"]]
    hv.detach(attached["id"])
    assert [r["id"] for r in hv.api.rules(share)] == [mine["id"]]
    hv.api.deny(share, mine["id"])


def test_the_audit_of_the_rule_shows_the_end_user(hv: Hypervised, alice: Domain) -> None:
    """H-M6: the rule is made by the host, for somebody."""
    share = hv.share()
    attached = hv.attach(share, alice)
    hv.detach(attached["id"])
    found = v1(hv.api, "GET", f"/operations?share_id={share}")["operations"]
    told = {o["verb"]: o["user_id"] for o in found}
    verbs = "attachment.attach access.apply attachment.detach access.deny".split()
    assert {verb: told.get(verb) for verb in verbs} == dict.fromkeys(verbs, "demo")


def test_the_agent_dies_and_the_mount_goes_on(hv: Hypervised, alice: Domain) -> None:
    """H-I12: the FUSE process is not the agent's to take along."""
    share = hv.share()
    attached = hv.attach(share, alice)
    mount(alice, attached)
    pid = hv.service.agent_pid
    hv.service.kill_agent()
    alice.sh("echo meanwhile > /mnt/share/file")
    until(lambda: hv.service.agent_pid not in (None, pid), "another agent is ready")
    alice.sh("echo afterwards >> /mnt/share/file")
    assert (hv.inside(share) / "file").read_text() == "meanwhile\nafterwards\n"
    alice.sh("umount /mnt/share")
    hv.detach(attached["id"])
    assert rules(hv, share) == {}
