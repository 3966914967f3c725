"""The hypervisor road: VMs without any network, whose host hands them the share as a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.compute_host import HypervisorStage
from demo.direct import GIB, GREETING, near, reason
from demo.scene import Act, Road, Seen, nothing_of
from demo.stage import DEVICES, PROGRAMS, files_with, traces

if TYPE_CHECKING:
    from contextlib import ExitStack
    from typing import Any

    from tests.lab.domain import Domain

VMS = {"vm-a": True, "vm-b": True, "vm-c": False}
FRESH = "echo 3 > /proc/sys/vm/drop_caches; cat /mnt/hello"


def play(act: Act, stack: ExitStack) -> None:
    """A share was handed to VMs, used, refused, taken back and deleted."""
    Show(act, HypervisorStage(act, stack, VMS)).play()


ROAD = Road(
    name="hypervisor",
    about="VM (no network) --- virtiofs | 9p --- its host",
    play=play,
    programs=(*PROGRAMS, "libvirtd", "unshare", "ganesha.nfsd", "dbus-daemon", "mkfs.btrfs"),
    devices=DEVICES,
)


class Show:
    """One share in three VMs."""

    def __init__(self, act: Act, stage: HypervisorStage) -> None:
        self.act = act
        self.stage = stage
        self.a, self.b, self.c = (stage.vms[name] for name in VMS)
        self.share = ""
        self.marks: list[str] = []

    def play(self) -> None:
        stage, row = self.stage, self.act.row
        self.make_share()
        row("vm-a", "looks for a network card", "there is none", self.a_has_no_network)
        stage.roadstead("attach", "photos", "vm-a", show=True)
        row("vm-a", "mounts by virtiofs, writes", "written", self.a_writes)
        row("vm-a", "sees the share's size", "1 GiB", self.a_sees_its_size)
        stage.roadstead("attach", "photos", "vm-b", "--read-only")
        row("vm-b", "reads vm-a's file (ro)", f'"{GREETING}"', self.b_reads)
        row("vm-b", "remounts rw, writes (ro)", "Read-only file system", self.b_writes)
        row("host", "deletes the attached share", "refused, names vm-a", self.delete_is_refused)
        stage.roadstead("detach", "photos", "vm-a")
        row("vm-a", "uses it after the detach", "not connected", self.a_is_cut)
        row("vm-b", "reads on meanwhile", f'"{GREETING}"', self.b_reads_on)
        stage.roadstead("attach", "photos", "vm-c", "--driver", "9p", "--tag", "p9", show=True)
        row("vm-c", "starts, mounts by 9p, reads", f'"{GREETING}"', self.c_reads)
        stage.roadstead("detach", "photos", "vm-b")
        stage.roadstead("detach", "photos", "vm-c", "--force")
        stage.openstack("share", "delete", "photos")
        row("host", "looks for the deleted share", "nothing left", self.nothing_left)

    def make_share(self) -> None:
        """The share `photos` is available, with no rule at all."""
        self.stage.openstack("share", "create", "NFS", "1", "--name", "photos")
        self.share = self.stage.api.get("/shares", name="photos")["shares"][0]["id"]
        self.stage.api.wait_share(self.share)
        self.marks.append(self.stage.api.paths(self.share)[0].partition(":/share-")[2])

    def attached(self, vm: str) -> dict[str, Any]:
        """The attachment as the API has it."""
        api = self.stage.api
        url = f"{api.url}/roadstead/v1/attachments?share_id={self.share}&vm={vm}"
        (found,) = api.session.get(url, timeout=60).json()["attachments"]
        self.marks.append(found["id"])
        return found

    def mounts(self, vm: Domain) -> str:
        """Nothing, or why the command that `roadstead attach` printed did not work in the guest."""
        tried = vm.mount(self.attached(vm.name)["mount_command"])
        return "" if tried.rc == 0 else f"mount: {tried.output}"

    # --- vm-a and vm-b ------------------------------------------------------------------------

    def a_has_no_network(self) -> Seen:
        cards = self.a.sh("ls /sys/class/net").output.split()
        others = [card for card in cards if card != "lo"]
        return Seen(not others, ", ".join(others) or "there is none")

    def a_writes(self) -> Seen:
        wrong = self.mounts(self.a)
        if wrong:
            return Seen(False, wrong)
        done = self.a.sh(f"echo '{GREETING}' > /mnt/hello && sync", check=False)
        return Seen(done.rc == 0, "written" if done.rc == 0 else reason(done.output))

    def a_sees_its_size(self) -> Seen:
        size = 1024 * int(self.a.sh("df -Pk /mnt | tail -n 1 | awk '{print $2}'").output)
        return Seen(near(size, GIB), f"{size / GIB:.2g} GiB")

    def b_reads(self) -> Seen:
        wrong = self.mounts(self.b)
        text = wrong or self.b.sh(FRESH, check=False).output.strip()
        return Seen(text == GREETING, wrong or f'"{text}"')

    def b_writes(self) -> Seen:
        """Root in the guest says read-write; the host does not care."""
        self.b.sh("mount -o remount,rw /mnt")
        if " rw," not in self.b.sh("grep ' /mnt ' /proc/mounts").output:
            return Seen(False, "the guest still mounts it read-only")
        tried = self.b.sh("echo 'overwritten by vm-b' > /mnt/hello", check=False)
        same = self.b.sh(FRESH, check=False).output.strip() == GREETING
        text = "written" if tried.rc == 0 else reason(tried.output)
        return Seen(same and "Read-only file system" in tried.output, text)

    def delete_is_refused(self) -> Seen:
        attachment = self.attached("vm-a")["id"]
        words = ("openstack", "--os-cloud", "roadstead", "share", "delete", "photos")
        done = self.stage.service.run(*words, check=False)
        said = done.stdout + done.stderr
        named = attachment in said and "vm-a" in said
        if done.returncode == 0:
            return Seen(False, "deleted")
        return Seen(named, "refused, names vm-a" if named else "refused, but names nobody")

    def a_is_cut(self) -> Seen:
        tried = self.a.sh(FRESH, check=False)
        text = "read" if tried.rc == 0 else reason(tried.output)
        cut = "not connected" in tried.output
        return Seen(cut, "not connected" if cut else text)

    def b_reads_on(self) -> Seen:
        text = self.b.sh(FRESH, check=False).output.strip()
        return Seen(text == GREETING, f'"{text}"')

    # --- vm-c, and the end --------------------------------------------------------------------

    def c_reads(self) -> Seen:
        """9p cannot be plugged into a running VM: it is there when this one starts."""
        state = self.attached("vm-c")["state"]
        if state != "inactive":
            return Seen(False, f"{state} although vm-c is off")
        self.c.power_on()
        wrong = self.mounts(self.c)
        text = wrong or self.c.sh(FRESH, check=False).output.strip()
        return Seen(text == GREETING, wrong or f'"{text}"')

    def nothing_left(self) -> Seen:
        """Mounts, binds, daemons, loop devices, images, exports: none has an id of ours."""
        self.stage.api.wait_gone(f"/shares/{self.share}")
        names, state = dict.fromkeys(self.marks), self.stage.service.state

        def look() -> list[str]:
            found = [t for name in names for t in traces(name)]
            return found + [p for name in names for p in files_with(name, state)]

        # The image goes by way of the pool's trash.
        return nothing_of(look, seconds=10)
