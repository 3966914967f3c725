"""The gateway road: one filer, asked directly and through a gateway in the same run; and how soon a
client that is denied hears of it."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.stream import Stream
from bench.table import Figure
from tests.lab.hosts import Client
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.nfs4 import NfsError
from tests.roads.direct import Shared
from tests.roads.gateway import FILER, GatewayRoad
from tests.roads.network import STORAGE, Tenant, address_of

ROUNDS = 4  # the best one counts
COUNTS = {1: 512, 4: 256}  # clients: MiB each
WAYS = ("read", "write")
DENIALS = 10
MTU = 1450  # of the tenant's VXLAN; so that both ways have the same
_ADMIN_EXPORT, _DENIED = "/bench", "10.0.0.99"

Speeds = dict[tuple[str, int, str], float]  # by (way, clients, where)


class Target:
    """One client's way to a directory of the filer."""

    def __init__(self, netns: str, server: str, export: str) -> None:
        self.words = (netns, server, export)


def measure() -> list[Figure]:
    """The clients are beside the filer, and on a segment of the gateway's own host: the gateway is
    the only difference."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        road = stack.enter_context(GatewayRoad(directory, settings={"sweep_interval_seconds": 30}))
        tenant = road.tenant("bench")
        share = tenant.share("10.0.0.0/24")
        server = address_of(tenant.api, share)
        through, direct = list[Target](), list[Target]()
        for number in range(max(COUNTS)):
            client = stack.enter_context(road.client(tenant, f"10.0.0.{50 + number}", on=STORAGE))
            through.append(Target(client.netns, server, share.pseudo))
            netns = stack.enter_context(_beside(road, f"172.30.0.{10 + number}", number))
            direct.append(Target(netns, FILER, _ADMIN_EXPORT))
        admitted = [f"172.30.0.{10 + number}" for number in range(max(COUNTS))]
        road.filer.export(500, _ADMIN_EXPORT, *admitted, path=_directory(road, share))
        speeds = _speeds({"direct": direct, "gateway": through})
        other = tenant.share()
        client = stack.enter_context(road.client(tenant, _DENIED, on=STORAGE))
        denied = [_denied(tenant, other, client, _DENIED) for _ in range(DENIALS)]
    return [*_ratios(speeds), *_refusals(denied)]


def _directory(road: GatewayRoad, share: Shared) -> str:
    (found,) = (p for p in road.filer.tree.rglob(share.instance) if p.is_dir())
    return str(found)


@contextlib.contextmanager
def _beside(road: GatewayRoad, address: str, number: int) -> Iterator[str]:
    """A client on the storage network itself."""
    switch, port = road.storage.switch, f"bench{number}"
    netns = f"{switch}-b{number}"
    add_netns(netns)
    try:
        far = ("peer", "name", "eth0", "netns", netns)
        ip("link", "add", port, "type", "veth", *far, netns=switch)
        ip("link", "set", port, "master", "br0", "up", netns=switch)
        ip("address", "add", f"{address}/24", "dev", "eth0", netns=netns)
        ip("link", "set", "eth0", "mtu", str(MTU), "up", netns=netns)
        yield netns
    finally:
        remove_netns(netns)


# --- throughput ---------------------------------------------------------------------------------


def _speeds(targets: dict[str, list[Target]]) -> Speeds:
    """MiB/s; direct and gateway take turns, so that a busy machine slows both."""
    found = Speeds()
    for clients, count in COUNTS.items():
        for way in ("write", "read"):
            for _ in range(ROUNDS):
                for where, all_ in targets.items():
                    speed = _speed(all_[:clients], way, count)
                    key = way, clients, where
                    found[key] = max(found.get(key, 0), speed)
    return found


def _speed(targets: Sequence[Target], way: str, count: int) -> float:
    """Of all together, from the word until the last is done."""
    with contextlib.ExitStack() as stack:
        running: list[subprocess.Popen[str]] = []
        for number, target in enumerate(targets):
            argv = [sys.executable, "-m", "bench.stream", *target.words]
            argv += [f"file{number}", way, str(count)]
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            running.append(stack.enter_context(process))
        for process in running:
            _hear(process, "ready")
        began = time.monotonic()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in running:
            _hear(process, "done")
        return len(targets) * count / (time.monotonic() - began)


def _hear(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said == word, f"the client ended ({said})"


def _ratios(speeds: Speeds) -> list[Figure]:
    group = (
        f"gateway road, L4: pieces of 1 MiB, {Stream.slots} under way a client, best of {ROUNDS}"
    )
    found: list[Figure] = []
    for clients, count in COUNTS.items():
        for way in WAYS:
            direct, through = (speeds[way, clients, where] for where in ("direct", "gateway"))
            name = f"{way}, {clients} client{'s' if clients > 1 else ''}"
            note = f"{through:.0f} of {direct:.0f} MiB/s; {count} MiB each"
            found.append(
                Figure(
                    group=group, name=f"{name}: times the filer itself", value=through / direct,
                    unit="", least=0.9, note=note,
                )
            )  # fmt: skip
    return found


# --- refusal ------------------------------------------------------------------------------------


def _denied(tenant: Tenant, share: Shared, client: Client, address: str) -> float:
    """Milliseconds from the request to deny until a client that reads all the time met an error."""
    rule = tenant.api.allow(share.id, address)
    ended, reads = list[float](), threading.Event()

    def read() -> None:
        with Stream(server, netns=client.netns, timeout=30) as session:
            directory = session.lookup(share.pseudo)
            file = session.open(directory, "file", write=True, create=True)
            try:
                while True:
                    session.read(file, 0, 4096)
                    reads.set()
            except (OSError, EOFError, NfsError):
                ended.append(time.monotonic())

    server = address_of(tenant.api, share)
    reader = threading.Thread(target=read)
    reader.start()
    assert reads.wait(30), "the client never read"
    began = time.monotonic()
    tenant.api.deny(share.id, rule["id"])
    reader.join(30)
    assert ended, "the client was not cut off"
    return 1000 * (ended[0] - began)


def _refusals(denied: Sequence[float]) -> list[Figure]:
    group = f"gateway road, L4: a client that reads all the time is denied, {len(denied)} times"
    return [
        Figure(group=group, name="request to deny → its reads fail", unit="ms", target=1000,
               value=max(denied), note=f"the slowest; median {statistics.median(denied):.0f} ms"),
    ]  # fmt: skip
