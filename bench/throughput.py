"""A guest's NFS over the direct road against the host on the same image, in one run."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import Figure
from tests.lab.build import build
from tests.lab.guest import DEFAULT_ACCEL, Guest
from tests.lab.nfs_client import NfsClient
from tests.lab.segment import Segment
from tests.live.service import Roadstead

MIB = 64
_GROUP = f"throughput, {MIB} MiB in 1 MiB blocks"


def measure() -> list[Figure]:
    """Sequential write with fsync, then read with a client that has nothing cached."""
    with Segment() as segment, Roadstead(segment) as roadstead:
        api, nic = roadstead.api(), segment.nic()
        share = api.create_share()
        api.allow(share["id"], nic.address)
        server, _, path = api.paths(share["id"])[0].rpartition(":/")
        here = _mounted(roadstead, path.rpartition("/")[2].removeprefix("share-"))
        remote, local = dict[str, float](), dict[str, float]()
        with Guest(build(), [nic]) as guest:
            client = NfsClient(guest)
            for way, script in (
                ("write", _write("/mnt/share/it")),
                ("read", _read("/mnt/share/it")),
            ):
                _mount(client, server, path)
                remote[way] = _speed(lambda script=script: guest.sh(script, 120))
                client.umount()
        local["write"] = _speed(lambda: _host(_write(f"{here}/host")))
        local["read"] = _speed(lambda: _host(_read(f"{here}/it")))
    return [figure for way in ("write", "read") for figure in _figures(way, local, remote)]


def _figures(way: str, local: dict[str, float], remote: dict[str, float]) -> list[Figure]:
    note = f"the guest is emulated ({DEFAULT_ACCEL}), it is the brake" if way == "write" else (
        "the server has the file in its cache, the guest has not"
    )  # fmt: skip
    return [
        Figure(group=_GROUP, name=f"{way}, guest over NFS", value=remote[way], unit="MiB/s"),
        Figure(group=_GROUP, name=f"{way}, host on the image", value=local[way], unit="MiB/s"),
        Figure(group=_GROUP, name=f"{way}, ratio", value=100 * remote[way] / local[way],
               unit="%", note=note),
    ]  # fmt: skip


def _mount(client: NfsClient, server: str, path: str) -> None:
    done = client.mount(server.strip("[]"), f"/{path}")
    assert done.ok, done.output


def _mounted(roadstead: Roadstead, instance_id: str) -> str:
    """Where the host has the share's filesystem."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        place = line.split()[1]
        if str(roadstead.state) in place and instance_id in place:
            return place
    raise AssertionError(f"no mount of {instance_id}")


def _write(file: str) -> str:
    return f"dd if=/dev/zero of={file} bs=1M count={MIB} conv=fsync"


def _read(file: str) -> str:
    return f"dd if={file} of=/dev/null bs=1M"


def _host(script: str) -> None:
    subprocess.run(["sh", "-c", script], capture_output=True, timeout=120, check=True)


def _speed(work: Callable[[], object]) -> float:
    """MiB/s, by this machine's clock: an emulated guest's may not be right."""
    began = time.monotonic()
    work()
    return MIB / (time.monotonic() - began)
