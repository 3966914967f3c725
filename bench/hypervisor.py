"""The hypervisor road: how long attach and detach take, and one share by every way in one run."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import Figure
from tests.lab.build import Image, build
from tests.lab.guest import DEFAULT_ACCEL, Guest
from tests.lab.nfs_client import NfsClient
from tests.lab.segment import Nic
from tests.roads.hypervisor import Hypervised, mount, v1

MIB = 64
ROUNDS = 5
# (what, mode of io.c, operations, unit, of which one operation is so much)
WORK = (
    ("sequential write, 1 MiB", "seqwrite", MIB, "MiB/s", 1),
    ("sequential read, 1 MiB", "seqread", MIB, "MiB/s", 1),
    ("random write, 4 KiB", "randwrite", 3000, "/s", 1),
    ("random read, 4 KiB", "randread", 3000, "/s", 1),
    ("metadata (create, stat, rename, unlink)", "meta", 150, "/s", 4),
)
WAYS = ("local", "virtiofs", "9p", "nfs")
_NAMES = {
    "local": "host on the share's own filesystem",
    "virtiofs": "guest by virtiofs",
    "9p": "guest by 9p",
    "nfs": "guest by NFS 4.2, direct road",
}
_DEVICES = "/sys/bus/virtio/drivers/virtiofs"

Speeds = dict[str, float]


def measure() -> list[Figure]:
    """One service with a private libvirtd; a guest for each way in, one after the other."""
    image = build()
    with Hypervised(image) as hv:
        share = hv.share()
        nic = hv.segment.nic()
        hv.api.allow(share, nic.address)
        with tempfile.TemporaryDirectory() as directory:
            tool = _compiled(Path(directory))
            (hv.inside(share) / "io").write_bytes(tool.read_bytes())
            (hv.inside(share) / "io").chmod(0o755)
            speeds = {"local": _on_the_host(hv.inside(share), tool)}
        plugging = _plugging(hv, share, speeds)
        speeds["9p"] = _by_9p(hv, share)
        speeds["nfs"] = _by_nfs(hv, share, image, nic)
    return [*plugging, *_figures(speeds)]


# --- attach and detach --------------------------------------------------------------------------


def _plugging(hv: Hypervised, share: str, speeds: dict[str, Speeds]) -> list[Figure]:
    """Hot, into one guest, again and again; the last one stays and is measured."""
    guest = hv.domain(name="hot")
    seen, active, gone = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        job = guest.start(f"until ls {_DEVICES} | grep -q ^virtio; do sleep 0.01; done")
        began = time.monotonic()
        body = {"attachment": {"share_id": share, "vm": guest.id}}
        made = v1(hv.api, "POST", "/attachments", body)["attachment"]
        guest.result(job)
        seen.append(_ms(began))
        hv.wait_attachment(made["id"], "active")
        active.append(_ms(began))
        began = time.monotonic()
        hv.detach(made["id"])
        gone.append(_ms(began))
    made = hv.attach(share, guest)
    mount(guest, made)
    speeds["virtiofs"] = _in_the_guest(guest)
    guest.sh("umount /mnt/share")
    hv.detach(made["id"])
    hv.forget_domains()
    group = f"hypervisor road, hot, into a running VM (median of {ROUNDS})"
    note = "by the API's clock, asked every 50 ms"
    return [
        Figure(group=group, name="attach: request → device in the guest", unit="ms", target=500,
               value=statistics.median(seen), note=f"slowest {max(seen):.0f} ms"),
        Figure(group=group, name="attach: request → active", unit="ms",
               value=statistics.median(active), note=note),
        Figure(group=group, name="detach: request → gone", unit="ms",
               value=statistics.median(gone), note=note),
    ]  # fmt: skip


def _ms(began: float) -> float:
    return 1000 * (time.monotonic() - began)


# --- one share by every way ---------------------------------------------------------------------


def _by_9p(hv: Hypervised, share: str) -> Speeds:
    """Cold: 9p does not go into a running VM."""
    guest = hv.domain(name="cold", running=False)
    made = hv.attach(share, guest, state="inactive", driver="9p")
    guest.power_on()
    mount(guest, made)
    found = _in_the_guest(guest)
    guest.power_off()
    hv.detach(made["id"])
    return found


def _by_nfs(hv: Hypervised, share: str, image: Image, nic: Nic) -> Speeds:
    server, _, path = hv.api.paths(share)[0].rpartition(":/")
    with Guest(image, [nic]) as guest:
        done = NfsClient(guest).mount(server.strip("[]"), f"/{path}")
        assert done.ok, done.output
        return _in_the_guest(guest)


def _in_the_guest(guest: Guest) -> Speeds:
    """What the guest gets at /mnt/share, past its own cache."""
    guest.sh("cp /mnt/share/io /tmp/io; mkdir -p /mnt/share/d; rm -f /mnt/share/file")
    return _speeds(lambda words: guest.sh(f"/tmp/io {words} direct", 120), "/mnt/share")


def _on_the_host(directory: Path, tool: Path) -> Speeds:
    """What the daemons and the NFS server can have at most: with the host's cache."""
    (directory / "d").mkdir()

    def run(words: str) -> None:
        argv = [str(tool), *words.split(), "buffered"]
        subprocess.run(argv, check=True, timeout=120)

    return _speeds(run, str(directory))


def _speeds(run: Callable[[str], object], root: str) -> Speeds:
    """By this machine's clock (a guest's may not be right), less what it takes to begin at all."""

    def seconds(mode: str, count: int) -> float:
        began = time.monotonic()
        run(f"{mode} {root}/{'d' if mode == 'meta' else 'file'} {count}")
        return time.monotonic() - began

    nothing = min(seconds("none", 0) for _ in range(3))
    found = Speeds()
    for what, mode, count, _unit, each in WORK:
        taken = max(seconds(mode, count) - nothing, 1e-4)
        found[what] = count * each / taken
    return found


def _compiled(directory: Path) -> Path:
    """The tool, for guests that have no library."""
    tool = directory / "io"
    source = Path(__file__).with_name("io.c")
    subprocess.run(["gcc", "-O2", "-static", "-o", str(tool), str(source)], check=True)
    return tool


def _figures(speeds: dict[str, Speeds]) -> list[Figure]:
    found: list[Figure] = []
    for what, _mode, _count, unit, _each in WORK:
        group = f"one share by every way: {what}; guests are emulated ({DEFAULT_ACCEL})"
        local = speeds["local"][what]
        for way in WAYS:
            value = speeds[way][what]
            note = "" if way == "local" else f"{100 * value / local:.1f} % of the host's"
            if (way, what) == ("nfs", "random write, 4 KiB"):
                note += ", each made durable (COMMIT)"
            if way in ("virtiofs", "9p"):
                note += f", {value / speeds['nfs'][what]:.2f} times NFS"
            found.append(Figure(group=group, name=_NAMES[way], value=value, unit=unit, note=note))
    return found
