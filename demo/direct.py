"""The direct road: VMs on the flat network that the export server is on."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from demo.scene import Act, Road, Seen, nothing_of
from demo.stage import DEVICES, PROGRAMS, Stage, files_with, traces
from tests.lab.guest import Job, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = {"vm-a": 10, "vm-b": 20, "vm-c": 30}
GREETING = "hello from vm-a"
MIB, GIB = 1 << 20, 1 << 30
CUT_LIMIT_MS = 1000

# Each write counts only when the server has it on disk.
WRITER = """
rm -f /tmp/stop /tmp/writes
n=0
until [ -e /tmp/stop ]; do
  echo "line $n" > /tmp/line
  dd if=/tmp/line of=/mnt/share/log oflag=append conv=notrunc,fsync 2> /tmp/error ||
    { cat /tmp/error; exit 1; }
  n=$((n + 1)); echo $n > /tmp/writes
done
echo $n
"""
# One descriptor, opened while it was allowed; what it reads must come from the server each time.
READER = """
rm -f /tmp/reads
exec 3< /mnt/share/film
n=0
while echo 3 > /proc/sys/vm/drop_caches; dd bs=4k count=1 <&3 > /dev/null 2> /tmp/error; do
  n=$((n + 1)); echo $n > /tmp/reads
done
tail -n 1 /tmp/error
"""


def play(act: Act, stack: ExitStack) -> None:
    """A share was made, used, refused, filled, grown, taken away and deleted."""
    stage = Stage(act, stack, HOSTS)
    Show(act, stage).play()


ROAD = Road(
    name="direct",
    about="VM --- flat network --- export server",
    play=play,
    programs=(*PROGRAMS, "ganesha.nfsd", "dbus-daemon", "mkfs.btrfs", "mkfs.xfs", "losetup"),
    devices=DEVICES,
)


class Show:
    """One share and its clients."""

    def __init__(self, act: Act, stage: Stage) -> None:
        self.act = act
        self.stage = stage
        self.a, self.b, self.c = (stage.vms[name] for name in ("vm-a", "vm-b", "vm-c"))
        self.share = self.path = ""

    def play(self) -> None:
        self.make_share()
        row = self.act.row
        row("vm-a", "mounts by NFSv4.2, writes", "written", self.a_writes)
        row("vm-b", "reads vm-a's file (ro)", f'"{GREETING}"', self.b_reads)
        row("vm-b", "writes (ro)", "Read-only file system", self.b_writes)
        row("vm-c", "mounts (no rule)", "refused at once", self.c_mounts)
        row("vm-a", "reads over IPv6 (own rule)", f'"{GREETING}"', self.a_reads_over_6)
        row("vm-a", "fills the share", "1 GiB, then no space", self.a_fills)
        self.stage.openstack("share", "resize", "photos", "2")
        self.stage.api.wait_share(self.share)
        row("vm-a", "sees it grow, still mounted", "2 GiB, writes go on", self.a_sees_more)
        row("vm-a", "writes; agent gets kill -9", "no error, agent back", self.a_outlives)
        self.deny_a()
        self.stage.openstack("share", "delete", "photos")
        row("host", "looks for the deleted share", "nothing left", self.nothing_left)

    def make_share(self) -> None:
        """The share `photos` is available, with a rule for each VM but vm-c."""
        stage = self.stage
        stage.openstack("share", "create", "NFS", "1", "--name", "photos")
        self.share = stage.api.get("/shares", name="photos")["shares"][0]["id"]
        stage.api.wait_share(self.share)
        allow = ("share", "access", "create", "photos", "ip")
        stage.openstack(*allow, stage.address("vm-a"))
        stage.openstack(*allow, stage.address("vm-b"), "--access-level", "ro")
        stage.openstack(*allow, stage.address6("vm-a"))
        for rule in stage.api.rules(self.share):
            stage.api.wait_rule(rule["id"])
        paths = ("share", "export", "location", "list", "photos", "-f", "value", "-c", "Path")
        stage.openstack(*paths, show=True)
        self.path = stage.api.paths(self.share)[0].partition(":")[2]

    # --- rules --------------------------------------------------------------------------------

    def a_writes(self) -> Seen:
        mounted = self.a.mount(self.stage.segment.server, self.path)
        if not mounted.ok:
            return Seen(False, f"mount: {mounted.output}")
        written = self.a.write("/mnt/share/hello", GREETING)
        return Seen(written.rc == 0, "written" if written.rc == 0 else reason(written.output))

    def b_reads(self) -> Seen:
        mounted = self.b.mount(self.stage.segment.server, self.path)
        if not mounted.ok:
            return Seen(False, f"mount: {mounted.output}")
        text = self.b.read("/mnt/share/hello").output
        return Seen(text == GREETING, f'"{text}"')

    def b_writes(self) -> Seen:
        tried = self.b.write("/mnt/share/hello", "overwritten by vm-b")
        if tried.rc == 0:
            return Seen(False, "written")
        refused = any(w in tried.output for w in ("Read-only", "Permission denied"))
        return Seen(refused, reason(tried.output))

    def c_mounts(self) -> Seen:
        tried = self.c.mount(self.stage.segment.server, self.path)
        if tried.ok:
            return Seen(False, "mounted")
        return Seen(tried.seconds < 5, f"refused after {tried.seconds:.1f} s")

    def a_reads_over_6(self) -> Seen:
        """IPv4 is unmounted first: the kernel would use its connection to the same server."""
        self.a.umount()
        try:
            mounted = self.a.mount(self.stage.segment.server6, self.path)
            if not mounted.ok:
                return Seen(False, f"mount: {mounted.output}")
            text = self.a.read("/mnt/share/hello").output
            used = self.a.guest.sh("netstat -tn | grep ESTABLISHED").output
            six = f"{self.stage.segment.server6}:2049" in used
            self.a.umount()
        finally:
            self.a.mount(self.stage.segment.server, self.path)
        return Seen(text == GREETING and six, f'"{text}"' + ("" if six else ", but over IPv4"))

    # --- space --------------------------------------------------------------------------------

    def a_fills(self) -> Seen:
        """Most of it is allocated on the server, as writing a gigabyte would only take time."""
        size = self.a.df().size
        self.a.guest.sh("fallocate -l 900M /mnt/share/film")
        tried = self.a_writes_on(900, 200)
        length = int(self.a.guest.sh("stat -c %s /mnt/share/film").output)
        full = "No space left" in tried.output and length <= 1.05 * GIB
        text = "full" if "No space left" in tried.output else reason(tried.output)
        text = f"{size / GIB:.2g} GiB, {text} at {length // MIB} MiB"
        return Seen(full and near(size, GIB), text)

    def a_sees_more(self) -> Seen:
        size = self.a.df().size
        tried = self.a_writes_on(1000, 32)
        text = "writes go on" if tried.rc == 0 else reason(tried.output)
        return Seen(tried.rc == 0 and near(size, 2 * GIB), f"{size / GIB:.2g} GiB, {text}")

    def a_writes_on(self, at: int, count: int) -> Result:
        """How writing `count` MiB into the big file, from `at` MiB on, ended."""
        words = f"bs=1M seek={at} count={count} conv=notrunc,fsync"
        script = f"dd if=/dev/zero of=/mnt/share/film {words}"
        return self.a.guest.sh(script, timeout=90, check=False)

    # --- the agent, and the end ---------------------------------------------------------------

    def a_outlives(self) -> Seen:
        """Writes go on before, while and after there is no agent."""
        service, guest = self.stage.service, self.a.guest
        job = guest.start(WRITER)
        guest.sh(counts("/tmp/writes", 0))
        killed, began = service.agent_pid, time.monotonic()
        service.kill_agent()
        service.wait_ready()
        seconds = time.monotonic() - began
        before = int(guest.sh("cat /tmp/writes").output)
        guest.sh(counts("/tmp/writes", before))
        guest.sh("touch /tmp/stop")
        done = guest.result(job)
        lines = int(guest.sh("wc -l < /mnt/share/log").output)
        if done.rc != 0 or lines != int(done.output):
            return Seen(False, reason(done.output))
        if service.agent_pid == killed:
            return Seen(False, "the agent was not killed")
        return Seen(True, f"no error, back in {seconds:.1f} s")

    def deny_a(self) -> None:
        """vm-a's rule is denied while it reads a file that it had opened before."""
        stage, guest = self.stage, self.a.guest
        address = stage.address("vm-a")
        rules = stage.api.rules(self.share)
        rule = next(rule["id"] for rule in rules if rule["access_to"] == address)
        job = guest.start(READER)
        ended: Future[float] = Future()
        job.outcome.add_done_callback(lambda _: ended.set_result(time.monotonic()))
        guest.sh(counts("/tmp/reads", 0))
        with watch_rule(stage, rule) as last_active:
            stage.openstack("share", "access", "delete", "photos", rule)
            stage.api.wait_gone(f"/share-access-rules/{rule}")
        self.act.row(
            "vm-a",
            "reads; its rule is denied",
            f"cut off within {CUT_LIMIT_MS} ms",
            lambda: self.a_is_cut(job, ended, last_active[0]),
        )

    def a_is_cut(self, job: Job, ended: Future[float], denied: float) -> Seen:
        """Milliseconds, on the host's clock, from the last time the rule was known to be active."""
        try:
            output = self.a.guest.result(job, timeout=CUT_LIMIT_MS / 1000 + 2).output
        except TimeoutError:
            # A hang cuts it off too, but nobody can tell since when: not what is claimed here.
            return Seen(False, "no end of its reads seen")
        # Others must not notice: a server that died would look the same to vm-a.
        fresh = "echo 3 > /proc/sys/vm/drop_caches; cat /mnt/share/hello"
        if self.b.guest.sh(fresh, check=False).output != GREETING:
            return Seen(False, "vm-b was cut off too")
        text = "refused" if "Permission denied" in output else reason(output)
        passed = (ended.result() - denied) * 1000
        return Seen(0 < passed <= CUT_LIMIT_MS, f"{text} after {passed:.0f} ms")

    def nothing_left(self) -> Seen:
        """Mounts, loop devices, processes, images, exports: none has the share's name."""
        self.stage.api.wait_gone(f"/shares/{self.share}")
        name = self.path.removeprefix("/share-")
        state = self.stage.service.state
        # The image goes by way of the pool's trash.
        return nothing_of(lambda: traces(name) + files_with(name, state), seconds=10)


@contextmanager
def watch_rule(stage: Stage, rule: str) -> Iterator[list[float]]:
    """The one number is when a question was sent to which the answer was still: active."""
    last, stop = [time.monotonic()], threading.Event()

    def watch() -> None:
        api = stage.service.api()
        while not stop.is_set():
            asked = time.monotonic()
            answer = api.send("GET", f"/share-access-rules/{rule}")
            if answer.status_code != 200 or answer.json()["access"]["state"] != "active":
                return
            last[0] = asked
            stop.wait(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield last
    finally:
        stop.set()
        thread.join()


def counts(path: str, above: int) -> str:
    """A script that ends when the number in the file is larger."""
    return f'until [ "$(cat {path} 2>/dev/null || echo 0)" -gt {above} ]; do sleep 0.02; done'


def near(size: int, wanted: int) -> bool:
    """Within 5 %."""
    return abs(size - wanted) <= wanted * 0.05


def reason(output: str) -> str:
    """The last words of a program's complaint: `dd: /mnt/x: Read-only file system`."""
    lines = [line for line in output.strip().splitlines() if ": " in line]
    return (lines[0] if lines else output.strip()).rpartition(": ")[2] or "no reason given"
