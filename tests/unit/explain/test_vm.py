"""H-M1: the way of a share into a VM, and what a tenant is not told of it."""

import msgspec
import pytest

from roadstead.explain.vm import VmFacts, explain_vm
from roadstead.model.access import AccessRule
from roadstead.model.attachments import Attachment, ComputeHost, Vm
from roadstead.model.ids import new_id
from roadstead.model.shares import ExportLocation, Share
from roadstead.store.db import utcnow

SHARE_ID, INSTANCE_ID = new_id(), new_id()
ADDRESS = "192.0.2.50"


def _attachment(**more) -> Attachment:
    values = {
        "id": new_id(), "project_id": "p", "user_id": "u", "share_id": SHARE_ID, "vm_id": "v",
        "vm_name": "web", "host": "compute7", "tag": "pics", "access_level": "rw",
        "driver": "virtiofs", "state": "active", "locks": "not enforced", "created_at": utcnow(),
    }  # fmt: skip
    return Attachment(**{**values, **more})


def _facts(attachment: Attachment | None, *, grant: bool = False, **more) -> VmFacts:
    facts: dict[str, object] = {
        "virtiofsd": "1.13.2 (rust)", "qemu": "7.2", "libvirt": "9.0", "nfs_client": "kernel",
    }  # fmt: skip
    rule = AccessRule(
        id="r1", share_id=SHARE_ID, access_type="ip", access_to=ADDRESS,
        access_level="rw", state="active", created_at=utcnow(),
    )  # fmt: skip
    values = {
        "share": Share(
            id=SHARE_ID, project_id="p", user_id="u", size_gib=3, proto="NFS",
            created_at=utcnow(), instance_id=INSTANCE_ID, status="available",
            host="node1@local#image",
        ),
        "locations": [
            ExportLocation(
                id=new_id(), instance_id=INSTANCE_ID, share_id=SHARE_ID,
                path=f"192.0.2.1:/share-{INSTANCE_ID}", created_at=utcnow(),
            )
        ],
        "vm": Vm(id="v", host="compute7", name="web", project_id="p", running=True,
                 updated_at=utcnow()),
        "attachment": attachment,
        "host": ComputeHost(host="compute7", facts=facts, heartbeat_at=utcnow()),
        "grant": rule if grant else None,
    }  # fmt: skip
    return VmFacts(**{**values, **more})


def _hops(facts: VmFacts, *, admin: bool = True) -> dict[str, tuple[bool | None, str]]:
    return {hop.name: (hop.ok, hop.what) for hop in explain_vm(facts, admin=admin).hops}


def test_the_hosts_name_its_address_and_its_programs_are_for_administrators():
    """H-M1: hosts are not for tenants."""
    facts = _facts(_attachment(), grant=True)
    told = explain_vm(facts, admin=True)
    said = str(msgspec.to_builtins(told.hops)) + str(told.rule)
    for secret in ("compute7", ADDRESS, "1.13.2", "9.0"):
        assert secret in said
    hidden = explain_vm(facts, admin=False)
    said = str(msgspec.to_builtins(hidden.hops)) + str(hidden.rule)
    for secret in ("compute7", ADDRESS, "1.13.2", "9.0"):
        assert secret not in said


@pytest.mark.parametrize(
    ("attachment", "names", "ok"),
    [
        ({"locks": "enforced"}, "virtiofsd 1.13.2 (rust): locks taken in the guest hold", True),
        ({"locks": "not enforced"}, "virtiofsd 1.13.2 (rust): two guests", None),
        ({"locks": "not enforced", "driver": "9p"}, "QEMU's 9p server: two guests", None),
        ({"locks": ""}, "known when the device is there", None),
    ],
)
def test_locks_are_told_for_the_daemon_that_serves_the_device(attachment, names, ok):
    """H-S2"""
    seen, what = _hops(_facts(_attachment(**attachment)))["locks"]
    assert seen is ok
    assert what.startswith(names)


@pytest.mark.parametrize(
    ("state", "ok", "told"),
    [
        ("active", True, "plugged in"),
        ("inactive", None, "next start"),
        ("broken", False, "stop and start the VM"),
        ("error", False, "could not be attached (QEMU said no)"),
    ],
)
def test_the_state_of_the_device_is_that_of_the_way(state, ok, told):
    error = "QEMU said no" if state == "error" else None
    seen, what = _hops(_facts(_attachment(state=state, error=error)))["device"]
    assert (seen, told in what) == (ok, True)


def test_a_host_that_is_silent_and_a_vm_that_is_gone_end_the_way():
    hops = _hops(_facts(_attachment(), vm=None, alive=False))
    assert hops["vm"][0] is False
    assert hops["host"][0] is False
    assert "does not report" in hops["host"][1]


def test_without_an_attachment_there_is_a_hint():
    hops = _hops(_facts(None))
    assert list(hops) == ["vm", "device", "pool"]
    assert "roadstead attach" in hops["device"][1]


def test_read_only_is_said_to_be_the_hosts_doing():
    """H-I6"""
    hops = _hops(_facts(_attachment(access_level="ro"), grant=True))
    assert "no remount in the guest" in hops["mount"][1]
    assert f"192.0.2.1:/share-{INSTANCE_ID} by the kernel's NFS client" in hops["mount"][1]
