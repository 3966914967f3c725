"""A real gateway between two networks: clients of a tenant on one, a filer on the other.

client (10.9.0.11 …, router of 192.0.2.7) ─ segment ─ gateway ─ storage network ─ filer
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, ExportBench
from roadstead.drivers.base.export import Gateway
from roadstead.drivers.export.gateway.driver import GatewayExport
from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.drivers.host import conntrack
from roadstead.drivers.host.netlink import within
from roadstead.model import world as w
from roadstead.model.admission import plain_address
from roadstead.model.errors import Transient
from roadstead.model.ids import new_id, pseudo_path
from tests.conformance.ganesha_bench import CONTENT, level_in
from tests.lab.filer import LegacyFiler
from tests.lab.netns import add_netns, in_thread, ip, remove_netns
from tests.lab.nfs4 import Client
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadstead.drivers.base.filer import FilerControl
    from roadstead.drivers.host.conntrack import Connection
    from roadstead.model.gateways import GatewayState

VIP, VIP6 = "10.9.0.1", "fd00:9::1"
ROUTER, ROUTER6 = "10.9.0.254", "fd00:9::fe"
FILER, FILER6 = "172.30.0.2", "fd00:30::2"
OWN, OWN6 = "172.30.0.11", "fd00:30::11"
TENANT_LEG, STORAGE_LEG = "rsntenant", "rsnstorage"


class Flows(dict[str, w.Flow]):
    """Gives each share addresses when it is asked for; the first one has VIP and VIP6."""

    def __init__(self, add: Callable[[str, str], None]) -> None:
        super().__init__()
        self._add = add
        self._numbers = itertools.count(0)

    def get(self, instance_id: str, default: object = None) -> w.Flow:  # type: ignore[override]
        """The share's addresses, on the gateway's interfaces."""
        if instance_id not in self:
            number = next(self._numbers)
            high, low = divmod(number, 200)
            first = number == 0
            vips = (VIP if first else f"10.9.{2 + high}.{1 + low}",
                    VIP6 if first else f"fd00:9::2:{number:x}")  # fmt: skip
            sources = {
                level: (f"172.30.{start + high}.{1 + low}", f"fd00:30::{start}:{number:x}")
                for level, start in (("rw", 20), ("ro", 40))
            }
            for address in vips:
                self._add(TENANT_LEG, address)
            for address in itertools.chain(*sources.values()):
                self._add(STORAGE_LEG, address)
            self[instance_id] = w.Flow(addresses=vips, sources=sources)
        return self[instance_id]


class GatewayBench(ExportBench):
    """Shares lie where a filer's control finds them again."""

    def spec(self, **changes: object) -> w.ExportSpec:
        """A share with one file, on the filer."""
        instance_id = str(changes.get("instance_id") or new_id())
        path = Path(share_path(self.make_path(), instance_id))
        path.mkdir(parents=True)
        (path / "file").write_bytes(CONTENT)
        return super().spec(**{"instance_id": instance_id, "path": str(path)} | changes)

    def report(self, place: w.Place | None = None) -> GatewayState:
        """How the gateway says it is."""
        assert isinstance(self.driver, Gateway)
        return self.driver.report(place or self.place)


class Held:
    """A connection that a client holds, from a port of its own as the kernel's NFS client does."""

    def __init__(self, lab: GatewayLab, spec: w.ExportSpec, address: str, port: int) -> None:
        vips = spec.place.flows[spec.instance_id].addresses
        server = next(a for a in vips if (":" in a) == (":" in address))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = in_thread(lab.clients, lambda: socket.socket(family, socket.SOCK_STREAM))
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind((address, port))
            self.socket.connect((server, 2049))
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def call(self) -> None:
        """The filer answered a call that does nothing."""
        self.socket.sendall(struct.pack(">11I", 0x80000000 | 40, 7, 0, 2, 100003, 4, 0, 0, 0, 0, 0))
        if len(self.socket.recv(28, socket.MSG_WAITALL)) != 28:
            raise ConnectionResetError("no answer")


class Failing:
    """A filer's control that is out of reach while `down`."""

    def __init__(self, control: FilerControl) -> None:
        self._control = control
        self.info = control.info
        self.down = False

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise Transient("the filer does not answer")
        return getattr(self._control, name)


class GatewayLab(Temporary):
    """The networks and the filer; nothing is left of them."""

    lease_seconds = 5  # the filer's

    def __init__(self) -> None:
        tag = f"rs-gw-{secrets.token_hex(2)}"
        names = ("segment", "storage", "filer", "gateway", "client")
        self.segment, self.storage, self.filer_ns, self.gateway, self.clients = (
            f"{tag}-{name}" for name in names
        )
        self.root = Path(tempfile.mkdtemp(prefix="rs-gw-"))
        self._numbers = itertools.count(1)

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.callback(shutil.rmtree, self.root)
        for name in (self.segment, self.storage, self.filer_ns, self.gateway, self.clients):
            add_netns(name)
            undo.callback(remove_netns, name)
        for name in (self.segment, self.storage):
            bridge = ("forward_delay", "0", "mcast_snooping", "0")
            ip("link", "add", "br0", "type", "bridge", *bridge, netns=name)
            ip("link", "set", "br0", "up", netns=name)
        self._leg(self.segment, self.clients, "eth0")
        self._leg(self.segment, self.gateway, TENANT_LEG)
        self._leg(self.storage, self.gateway, STORAGE_LEG)
        self._leg(self.storage, self.filer_ns, "eth0")
        for address in (NEAR, SIBLING, ROUTER, SIX, ROUTER6):
            add_address(self.clients, "eth0", address)
        ip("addr", "add", f"{FAR}/32", "dev", "lo", netns=self.clients)
        for address in (OWN, OWN6):
            add_address(self.gateway, STORAGE_LEG, address)
        for address in ("10.9.1.1", "fd00:9::1:1"):
            add_address(self.gateway, TENANT_LEG, address)
        for address in (FILER, FILER6):
            add_address(self.filer_ns, "eth0", address)
        ip("route", "add", "default", "via", ROUTER, netns=self.gateway)
        # Hostile: it knows a way to the storage network.
        for target, via in (("172.30.0.0/16", "10.9.1.1"), ("fd00:30::/64", "fd00:9::1:1")):
            ip("route", "add", target, "via", via, netns=self.clients)
        self.filer = undo.enter_context(
            LegacyFiler(
                self.filer_ns, [FILER, FILER6], grace=False, lease_seconds=self.lease_seconds
            )
        )

    def _leg(self, hub: str, netns: str, device: str) -> None:
        port = f"p{next(self._numbers)}"
        pair = ("type", "veth", "peer", "name", device, "netns", netns)
        ip("link", "add", port, *pair, netns=hub)
        ip("link", "set", port, "master", "br0", "up", netns=hub)
        ip("link", "set", device, "up", netns=netns)

    def control(self) -> GaneshaFiler:
        """The filer's rules."""
        return GaneshaFiler(GaneshaFiler.Options(**self.filer.control_options))

    def driver(self, control: FilerControl | None = None) -> GatewayExport:
        """A driver as a newly started agent makes it; all of one lab share one state."""
        return GatewayExport(
            GatewayExport.Options(state_directory=str(self.root / "state")),
            filer=[FILER, FILER6],
            control=control or self.control(),
        )

    @contextlib.contextmanager
    def bench(self, control: FilerControl | None = None) -> Iterator[GatewayBench]:
        """A gateway of its own; afterwards it is gone, with its shares' addresses."""
        added: list[tuple[str, str]] = []

        def add(device: str, address: str) -> None:
            add_address(self.gateway, device, address)
            added.append((device, address))

        place = w.Place(
            id=f"gateway-{next(self._numbers)}",
            netns=self.gateway,
            addresses=("10.9.1.1", "fd00:9::1:1"),
            storage=(OWN, OWN6),
            flows=Flows(add),
        )
        driver = self.driver(control)
        driver.ensure_server(place)
        # Every change loads the rules of all its shares.
        bench = GatewayBench(driver, place, self.make_path, self.level_of, each=5)
        try:
            yield bench
        finally:
            driver.ensure_server_absent(place)
            for device, address in added:
                ip("addr", "del", _with_length(address), "dev", device, netns=self.gateway)

    def make_path(self) -> str:
        """A directory of the filer."""
        path = self.filer.tree / str(next(self._numbers))
        path.mkdir()
        return str(path)

    def client(self, spec: w.ExportSpec, address: str = NEAR) -> Client:
        """A client with this address, connected to where the share is."""
        vips = spec.place.flows[spec.instance_id].addresses
        server = next(a for a in vips if (":" in a) == (":" in address))
        return Client(server, source=address, netns=self.clients)

    def level_of(self, address: str, spec: w.ExportSpec) -> str | None:
        """At which level this address gets at the export: really tried, by writing."""
        try:
            client = self.client(spec, address)
        except ConnectionRefusedError:
            return None
        with client:
            share = client.lookup(pseudo_path(spec.instance_id))
            return level_in(client, share)

    def hold(self, spec: w.ExportSpec, port: int, address: str = NEAR) -> Held:
        """A client's connection to the share, from that port."""
        return Held(self, spec, address, port)

    def seen_by_filer(self) -> set[tuple[str, int]]:
        """Whom the filer believes to be connected with: address and port."""
        argv = ["ip", "netns", "exec", self.filer_ns, "ss", "-Htn", "state", "established"]
        lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        ends = (line.split()[-1].rpartition(":") for line in lines.splitlines())
        return {(plain_address(host.strip("[]")), int(port)) for host, _, port in ends}

    def wait_until_forgotten(self, seen: tuple[str, int]) -> None:
        """The filer believes in that connection no more."""
        until(lambda: seen not in self.seen_by_filer(), "the filer was told", seconds=5)

    def connections(self) -> list[Connection]:
        """What the gateway keeps track of."""
        return within(self.gateway, lambda _: conntrack.connections())

    def nft(self, *words: str) -> str:
        """What nft says in the gateway."""
        argv = ["nft", *words]
        return in_thread(
            self.gateway,
            lambda: subprocess.run(argv, check=True, capture_output=True, text=True).stdout,
        )


def add_address(netns: str, device: str, address: str) -> None:
    """The device has the address, at once."""
    flags = ("nodad",) if ":" in address else ()
    ip("addr", "add", _with_length(address), "dev", device, *flags, netns=netns)


def _with_length(address: str) -> str:
    return f"{address}/{64 if ':' in address else 16}"
