"""The gateway road: a filer that knows no logical networks, behind a gateway for each tenant."""

from __future__ import annotations

import ipaddress
import secrets
import time
from typing import TYPE_CHECKING

from demo import network
from demo.direct import WRITER, counts, reason
from demo.network import NO_SUCH, Renter
from demo.scene import Act, Road, Seen, nothing_of
from demo.stage import DEVICES, PROGRAMS, traces
from tests.lab.frames import Capture, ipv4_ends
from tests.roads.gateway import DEVICE, FILER, GatewayRoad
from tests.waiting import in_time

if TYPE_CHECKING:
    from contextlib import ExitStack

VM, SHARE = network.VM, "/mnt/share"
STORAGE = ipaddress.ip_network("172.30.0.0/24")
READ_ONLY = "Read-only file system"
SOFT = "soft,timeo=10,retrans=1"  # so that a program in a VM that is cut off hears of it
# What it reads must come from the filer each time.
READER = """
rm -f /tmp/reads
n=0
while echo 3 > /proc/sys/vm/drop_caches; cat /mnt/share/hello > /dev/null 2> /tmp/error; do
  n=$((n + 1)); echo $n > /tmp/reads
done
tail -n 1 /tmp/error
"""


def play(act: Act, stack: ExitStack) -> None:
    """Two tenants used shares of one filer, which never heard of either."""
    Show(act, stack).play()


ROAD = Road(
    name="gateway",
    about="VM --- tenant's VXLAN --- gateway --- storage network --- a filer of somebody else's",
    play=play,
    programs=(*PROGRAMS, "nft", "ganesha.nfsd", "dbus-daemon"),
    devices=DEVICES,
)


class Show(network.Show):
    """Both tenants on two hosts, one with the gateways; and a filer on a storage network."""

    stage = GatewayRoad
    setting = "two hosts and a filer on a storage network; roadstead up"
    road: GatewayRoad

    def play(self) -> None:
        red, blue = self.renters
        red.options = SOFT
        self._settle()
        for renter in self.renters:
            # The filer knows NFS clients by name: two of one name throw each other out.
            renter.vm.guest.sh(f"hostname {renter.name}")
        row = self.act.row
        row("host", "compares both gateways", f"{red.server} for both", self.addresses)
        for renter in self.renters:
            about = f"mounts {renter.server}, writes"
            row(renter.name, about, "written", lambda r=renter: self.writes(r))
        for renter in self.renters:
            expected = f'"{renter.greeting}"'
            row(renter.name, "reads its share", expected, lambda r=renter: self.reads(r))
        row(
            red.name, "mounts blue's path", NO_SUCH,
            lambda: self.trespasses(red, blue),
        )  # fmt: skip
        row(red.name, f"tries {FILER} itself", "no answer", lambda: self.bypasses(red))
        row("wire", "frames to the filer", "of gateways only", self.frames_to_filer)
        row("filer", "dies while blue writes", "writes on", self.restarts)
        row(red.name, "reads; its rule is denied", "reads fail", lambda: self.denies(red))
        self._allow(red, "ro")
        expected = f'"{red.greeting}"'
        row(red.name, "is admitted again (ro)", expected, lambda: self.reads_again(red))
        row(red.name, "writes (ro)", READ_ONLY, lambda: self.overwrites(red))
        self._leave()
        row("filer", "looks for what was theirs", "nothing left", self.nothing_at_filer)
        row("host", "looks for what was theirs", "nothing left", self.nothing_left)

    # --- rows ---------------------------------------------------------------------------------

    def bypasses(self, renter: Renter) -> Seen:
        """A VM that knows the filer's address, and sends packets for it to its gateway."""
        guest = renter.vm.guest
        guest.sh(f"ip route replace {FILER}/32 via {renter.server} dev eth0")
        tried = f"nc -w 1 {FILER} 2049 < /dev/null || ping -c 1 -W 1 {FILER} > /dev/null"
        answered = guest.sh(tried, check=False).rc == 0
        guest.sh(f"ip route del {FILER}/32")
        return Seen(not answered, "it answers" if answered else "no answer")

    def frames_to_filer(self) -> Seen:
        """What is on the storage network while both write: a tenant's words come from the address
        that the filer's rule for its share names, and no tenant's address is ever seen."""
        strange: set[str] = set()
        with Capture(self.road.host.netns, DEVICE) as capture:
            for renter in self.renters:
                word = secrets.token_hex(16).encode()
                done = renter.vm.write(f"{SHARE}/word", word.decode())
                if done.rc:
                    return Seen(False, reason(done.output))
                capture.wait_for(word)
                known = {FILER, *self._admitted(renter)}
                ends = {a for f in capture.frames if word in f for a in ipv4_ends(f)}
                strange |= ends ^ known
        ends = {a for frame in capture.frames for a in ipv4_ends(frame)}
        strange |= {a for a in ends if ipaddress.ip_address(a) not in STORAGE}
        return Seen(not strange, f"of {', '.join(sorted(strange)) or 'gateways only'}")

    def restarts(self) -> Seen:
        """The filer dies and comes back; what blue has written is all there."""
        blue = self.renters[1].vm.guest
        job = blue.start(WRITER)
        blue.sh(counts("/tmp/writes", 0))
        self.road.filer.kill()
        self.road.filer.start()
        before = int(blue.sh("cat /tmp/writes").output)
        began = time.monotonic()
        blue.sh(counts("/tmp/writes", before + 1))
        seconds = time.monotonic() - began
        blue.sh("touch /tmp/stop")
        done = blue.result(job)
        if done.rc != 0 or blue.sh(f"wc -l < {SHARE}/log").output != done.output:
            return Seen(False, reason(done.output))
        return Seen(True, f"writes on after {seconds:.1f} s")

    def denies(self, renter: Renter) -> Seen:
        """While it reads. Its connection is reset and no new one is taken; why, nobody tells it."""
        guest, api = renter.vm.guest, renter.api
        job = guest.start(READER)
        guest.sh(counts("/tmp/reads", 0))
        (rule,) = api.rules(renter.share.id)
        api.deny(renter.share.id, rule["id"])
        before = int(guest.sh("cat /tmp/reads").output)
        told = reason(guest.result(job).output)
        more = int(guest.sh("cat /tmp/reads").output) - before
        if admitted := self._admitted(renter):
            return Seen(False, f"the filer still admits {', '.join(admitted)}")
        # One may have been under way.
        return Seen(more <= 1, told if more <= 1 else f"{more} more reads")

    def reads_again(self, renter: Renter) -> Seen:
        """As soon as its kernel has noticed: after a cut that was longer than its lease, a soft
        mount fails until the client has made itself known to the filer anew."""
        began = time.monotonic()
        tries: list[Seen] = []

        def good() -> bool:
            tries.append(self.reads(renter))
            return tries[-1].good

        in_time(good, 30, pause=0.2)
        return tries[-1]._replace(text=f"{tries[-1].text} after {time.monotonic() - began:.1f} s")

    def overwrites(self, renter: Renter) -> Seen:
        tried = renter.vm.write(f"{SHARE}/hello", "overwritten")
        return Seen(READ_ONLY in tried.output, "written" if tried.rc == 0 else reason(tried.output))

    def nothing_at_filer(self) -> Seen:
        """Neither exports nor directories, but the administrator's own."""
        filer, names = self.road.filer, {renter.share.instance for renter in self.renters}

        def look() -> list[str]:
            exports = [path for path in filer.exports().values() if path[7:] in names]
            return exports + [str(p) for p in filer.tree.rglob("*") if p.name in names]

        return nothing_of(look, seconds=15)

    # --- inside -------------------------------------------------------------------------------

    def _admitted(self, renter: Renter) -> dict[str, str]:
        """{address: level} that the filer really admits to the tenant's share."""
        return self.road.at_filer(renter.share) or {}

    def _allow(self, renter: Renter, level: str) -> None:
        words = ("share", "access", "create", "photos", "ip", VM, "--access-level", level)
        self.openstack(renter, *words)
        for rule in renter.api.rules(renter.share.id):
            renter.api.wait_rule(rule["id"])

    def _nothing_left(self) -> None:
        super()._nothing_left()
        storage = self.road.storage
        words = (storage.switch, storage.netns, storage.filer.root.name)
        if found := [trace for word in words for trace in traces(word)]:
            raise RuntimeError("\n".join(found))
