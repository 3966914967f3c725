"""A VM with a mounted share goes to another host while it writes: real QEMUs, libvirtds, agents.

Both hosts mount the share by NFS (FUSE), each by a rule for its own address. QEMU 10 and libvirt 11
come from the backports of Debian 12, virtiofsd 1.13 from Debian 13: `tests.lab.newer` fails where
they cannot be had.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.segment import Segment
from tests.live.api import Refused
from tests.live.service import Roadstead
from tests.roads.hypervisor import BY_NFS, compute_leg, project_of, v1
from tests.roads.migration import ComputeHost, Migrating, failing_with, two_hosts
from tests.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("migration")]
# A descriptor stays open all the time; each line is written through it.
WRITER = (
    "(exec 5>>/mnt/share/log; i=0; while [ ! -e /tmp/enough ]; do i=$((i+1)); echo $i >&5;"
    " sleep 0.02; done; echo end >&5) >/dev/null 2>&1 &"
)


class Cloud:
    """A service, a share and two hosts."""

    def __init__(self, service: Roadstead, share: str, *hosts: ComputeHost) -> None:
        self.service, self.share = service, share
        self.left, self.right = hosts
        self.api, self.admin = service.api(), service.api("roadstead-admin")
        self.file = service.state / "pools/local/mnt" / self.instance() / "log"

    def instance(self) -> str:
        (found,) = {path.rpartition("/share-")[2] for path in self.api.paths(self.share)}
        return found

    def rules(self) -> set[str]:
        return {rule["access_to"] for rule in self.admin.rules(self.share)}

    def vm(self, vm: str) -> dict[str, object] | None:
        vms = v1(self.admin, "GET", "/vms")["vms"]
        return next((found for found in vms if found["id"] == vm), None)

    def hosts_of(self, vm: str) -> dict[str, bool]:
        """Which hosts have the VM, and whether it runs there."""
        found = v1(self.admin, "GET", "/vms")["vms"]
        return {each["host"]: each["running"] for each in found if each["id"] == vm}

    def attachment(self, attachment: str) -> dict[str, object]:
        return v1(self.admin, "GET", f"/attachments/{attachment}")["attachment"]

    def wait(self, attachment: str, **facts: object) -> None:
        try:
            until(
                lambda: facts.items() <= self.attachment(attachment).items(), str(facts), seconds=30
            )
        except AssertionError as error:
            said = failing_with([self.left, self.right])
            raise AssertionError(f"{error}: {self.attachment(attachment)}\n{said}") from error

    def attach(self, vm: str, **how: object) -> str:
        body = {"attachment": {"share_id": self.share, "vm": vm, **how}}
        made = v1(self.api, "POST", "/attachments", body)["attachment"]["id"]
        self.wait(made, state="active")
        return made

    def prepare(self, vm: str, host: str) -> None:
        body = {"migration": {"host": host}}
        found = v1(self.admin, "POST", f"/vms/{vm}/migrations", body)["migration"]
        for each in found["attachments"]:
            path = f"/operations/{each['operation_id']}"
            until(lambda path=path: self._is_done(path), "the target is prepared", seconds=30)

    def _is_done(self, path: str) -> bool:
        operation = v1(self.admin, "GET", path)["operation"]
        assert operation["state"] != "failed", operation["error"]
        return operation["state"] == "done"


@pytest.fixture(scope="module")
def cloud() -> Generator[Cloud]:
    # Its server's namespace gets a port mapper, which NFSv3 needs.
    with Segment() as segment, compute_leg(segment), Roadstead(segment, settings=BY_NFS) as service:
        share = service.api().create_share()["id"]
        with two_hosts(service, segment) as hosts:
            yield Cloud(service, share, *hosts)


def test_a_file_open_and_growing_across_a_live_migration(cloud, lab_image):
    """H-I10, H-M4"""
    left, right = cloud.left, cloud.right
    project = project_of(cloud.service, "demo")
    with Migrating(left.libvirtd, lab_image, project_id=project) as guest:
        until(lambda: cloud.vm(guest.id), "the VM is known")
        attachment = cloud.attach(guest.id)
        command = str(cloud.attachment(attachment)["mount_command"]).replace("/mnt", "/mnt/share")
        done = guest.mount(command)
        assert done.rc == 0, done.output
        guest.sh(WRITER)
        placement = v1(cloud.admin, "GET", f"/vms/{guest.id}/hosts")["placement"]
        assert "right" in placement["compatible"], placement

        assert cloud.rules() == {left.address}
        assert right.mounted() == []
        cloud.prepare(guest.id, "right")
        paths = left.mounted()
        assert right.mounted() == paths
        assert any(attachment in path for path in paths)
        assert cloud.rules() == {left.address, right.address}
        before = len(cloud.file.read_text().split())
        with ThreadPoolExecutor(1) as pool:
            migrated = pool.submit(guest.migrate, right.libvirtd, mib_per_second=16)
            until(lambda: cloud.hosts_of(guest.id) == {"left": True, "right": False}, "begun")
            # While its memory is copied, everything is the source's still.
            now = cloud.attachment(attachment)
            assert (now["host"], now["target_host"]) == ("left", "right")
            assert not migrated.done()
            migrated.result(120)

        cloud.wait(attachment, host="right", target_host=None, state="active")
        until(lambda: left.mounted() == [], "the source has given it back", seconds=30)
        until(lambda: cloud.rules() == {right.address}, "the source's rule has gone", seconds=30)
        during = len(cloud.file.read_text().split())
        until(lambda: len(cloud.file.read_text().split()) > during + 20, "it writes on")
        assert during > before
        guest.sh(
            "touch /tmp/enough; until tail -n1 /mnt/share/log | grep -q end; do sleep 0.1; done"
        )
        *numbers, end = cloud.file.read_text().split()
        assert end == "end"
        assert [int(n) for n in numbers] == list(range(1, len(numbers) + 1))  # not one is missing

        # It is an attachment of the new host's as any other: new files, and away with it.
        guest.sh("echo new > /mnt/share/new; umount /mnt/share")
        v1(cloud.api, "DELETE", f"/attachments/{attachment}")
        with pytest.raises(Refused, match="404"):
            until(lambda: not cloud.attachment(attachment), "gone", seconds=30)
        assert right.mounted() == []
        assert attachment not in guest.live_xml()


def test_what_was_not_prepared_does_not_get_there(cloud, lab_image):
    """H-M4: the VM stays where it is, with its share."""
    project = project_of(cloud.service, "demo")
    with Migrating(cloud.left.libvirtd, lab_image, project_id=project) as guest:
        until(lambda: cloud.vm(guest.id), "the VM is known")
        attachment = cloud.attach(guest.id, access_level="ro")
        command = str(cloud.attachment(attachment)["mount_command"]).replace("/mnt", "/mnt/share")
        assert guest.mount(command).rc == 0
        with pytest.raises(Exception, match="does not exist"):
            guest.migrate(cloud.right.libvirtd)
        guest.sh("ls /mnt/share")
        assert guest.sh("touch /mnt/share/no", check=False).rc != 0
        cloud.wait(attachment, host="left", state="active")
        v1(cloud.api, "DELETE", f"/attachments/{attachment}")
        with pytest.raises(Refused, match="404"):
            until(lambda: not cloud.attachment(attachment), "gone", seconds=30)
