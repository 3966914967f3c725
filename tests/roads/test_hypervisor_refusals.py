"""What the hypervisor road refuses, and how it says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.live.api import Api, Refused
from tests.roads.hypervisor import Hypervised, mount, v1

if TYPE_CHECKING:
    from tests.lab.domain import Domain

# No VM boots here unless a refusal is about a running one.
pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("hypervisor-refusals")]
ROAD = Hypervised

OS = (
    "<o:libosinfo xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<o:os id='http://{}'/></o:libosinfo>"
)
NOVA = (
    "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:owner>"
    "<n:user uuid='u'>me</n:user><n:project uuid='{}'>them</n:project></n:owner></n:instance>"
)


@pytest.fixture(scope="module")
def share(hv: Hypervised) -> str:
    return hv.share()


@pytest.fixture(scope="module")
def off(hv: Hypervised) -> Domain:
    return hv.domain(name="off", running=False)


def refused(hv: Hypervised, share: str, vm: Domain, api: Api | None = None, **how: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        hv.attach(share, vm, api=api, **how)
    return caught.value


def test_a_running_vm_with_missing_facts_is_told_each_and_how_to_go_on(
    hv: Hypervised, share: str
) -> None:
    """H-I4, H-I5: before any rule or mount; `cold` writes it for the next start, when libvirt adds
    a port itself."""
    # libvirt's own device takes the one port there is.
    full = hv.domain(name="full", ports=1)
    answer = refused(hv, share, full)
    assert answer.status == 409
    assert "no PCI Express port is free" in answer.text
    assert "pcie-root-port" in answer.text
    assert "cold" in answer.text
    nine = refused(hv, share, full, driver="9p")
    assert nine.status == 409
    assert "9p devices cannot be plugged into a running VM" in nine.text
    assert v1(hv.api, "GET", "/attachments")["attachments"] == []
    assert hv.mounted() == []
    cold = hv.attach(share, full, cold=True, state="inactive")
    full.power_off()
    full.power_on()
    hv.wait_attachment(cold["id"], "active")
    mount(full, cold)
    full.sh("echo cold > /mnt/share/file")
    assert (hv.inside(share) / "file").read_text() == "cold\n"
    full.close()
    hv.wait_gone(cold["id"])


def test_virtiofs_needs_shared_memory(hv: Hypervised, share: str) -> None:
    """H-I4: known before anything is done; 9p needs none."""
    private = hv.domain(name="private", running=False, shared_memory=False)
    answer = refused(hv, share, private, driver="virtiofs")
    assert answer.status == 409
    assert "no shared memory" in answer.text
    assert "memoryBacking" in answer.text
    attached = hv.attach(share, private, state="inactive")
    assert attached["driver"] == "9p"
    hv.detach(attached["id"])
    private.close()


def test_tags_are_checked_and_unique_in_a_vm(hv: Hypervised, share: str, off: Domain) -> None:
    """H-I3: at most 36 bytes (31 with 9p), nothing that mount could take for an option."""
    other = hv.share()
    for tag in ("x" * 37, "-o", "a b", "ä", "../x"):
        assert refused(hv, share, off, tag=tag).status == 400
    assert refused(hv, share, off, tag="x" * 32, driver="9p").status == 400
    first = hv.attach(share, off, tag="x" * 36, state="inactive")
    assert refused(hv, share, off, tag="second").status == 409
    assert refused(hv, other, off, tag="x" * 36).status == 409
    hv.detach(first["id"])


@pytest.mark.isolation
def test_only_a_vms_own_project_attaches_its_own_shares(
    hv: Hypervised, share: str, off: Domain
) -> None:
    """H-M1: the project of a VM is what its hypervisor says of it: our metadata, or Nova's."""
    user = "tenant"
    state = str(hv.service.state)
    said = hv.service.run("roadstead", "users", "add", user, "--project", "beef", "--state", state)
    words = said.stdout.replace(",", " ").split()
    tenant = Api(hv.service.url, user, words[words.index("password") + 1])
    theirs = tenant.create_share(1)["id"]
    by_nova = hv.domain(name="by-nova", running=False, metadata=NOVA.format("beef"))
    for vm, who in ((off, tenant), (by_nova, hv.api)):
        mine = theirs if who is tenant else share
        assert refused(hv, mine, vm, who).status == 404
        assert vm.id not in [v["id"] for v in v1(who, "GET", "/vms")["vms"]]
    assert refused(hv, share, by_nova, tenant).status == 404
    # Nor may an administrator cross two projects.
    answer = refused(hv, share, by_nova, hv.admin)
    assert answer.status == 403
    assert "different projects" in answer.text
    # The request's word counts for nothing.
    assert refused(hv, theirs, off, tenant, project_id="beef").status == 400
    attached = hv.attach(theirs, by_nova, api=tenant, state="inactive")
    assert hv.shown(attached["id"])["project_id"] == "beef"
    with pytest.raises(Refused) as unseen:
        v1(hv.api, "GET", f"/attachments/{attached['id']}")
    assert unseen.value.status == 404
    with pytest.raises(Refused) as kept:
        v1(hv.api, "DELETE", f"/attachments/{attached['id']}")
    assert kept.value.status == 404
    v1(tenant, "DELETE", f"/attachments/{attached['id']}")
    hv.wait_gone(attached["id"])
    by_nova.close()


@pytest.mark.isolation
def test_a_vm_without_a_project_is_an_administrators_to_give(hv: Hypervised, share: str) -> None:
    bare = hv.domain(name="bare", project=None, running=False)
    assert refused(hv, share, bare).status == 404
    attached = hv.attach(share, bare, api=hv.admin, state="inactive")
    assert attached["project_id"] == hv.project
    hv.detach(attached["id"])
    bare.close()


def test_a_share_with_attachments_stays(hv: Hypervised, off: Domain) -> None:
    """H-M2: not deleted, not even by force; the answer names the attachment and the VM."""
    share = hv.share()
    attached = hv.attach(share, off, state="inactive")
    attempts = (
        lambda: hv.api.delete_share(share, wait=False),
        lambda: hv.admin.act(share, "force_delete"),
    )
    for attempt in attempts:
        with pytest.raises(Refused) as kept:
            attempt()
        assert kept.value.status == 403
        assert attached["id"] in kept.value.text
        assert "off" in kept.value.text
    assert hv.api.share(share)["status"] == "available"
    hv.detach(attached["id"])
    hv.api.delete_share(share)


@pytest.mark.parametrize(
    ("system", "driver", "missing"),
    [
        ("debian.org/debian/10", "virtiofs", "older than Linux 5.4"),
        ("microsoft.com/win/11", "9p", "Windows has no 9p"),
        ("freebsd.org/freebsd/14.0", "9p", "release 15"),
        ("redhat.com/rhel/9.2", "9p", "built without 9p"),
    ],
)
def test_a_guest_that_cannot_mount_it_is_named(
    hv: Hypervised, share: str, system: str, driver: str, missing: str
) -> None:
    """H-I13: as far as the domain's metadata tell its system; nothing stays behind."""
    vm = hv.domain(name="odd", running=False, metadata=OS.format(system))
    failed = hv.attach(share, vm, driver=driver, state="error")
    assert missing in failed["error"]
    assert hv.left(failed["id"]) == []
    assert hv.mounted() == []
    hv.detach(failed["id"])
    vm.close()


def test_the_audit_shows_who_it_was(hv: Hypervised, share: str, off: Domain) -> None:
    """H-M6: the end user and the request, at each operation."""
    attached = hv.attach(share, off, state="inactive")
    assert (attached["user_id"], bool(attached["request_id"])) == ("demo", True)
    hv.detach(attached["id"])
    found = hv.operations(attached["id"])
    told = {o["verb"]: (o["user_id"], o["project_id"], bool(o["request_id"])) for o in found}
    assert told == {
        "attachment.attach": ("demo", hv.project, True),
        "attachment.detach": ("demo", hv.project, True),
    }
