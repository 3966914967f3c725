"""A flat network of its own: bridge, service address, guests' taps, cheap clients."""

import contextlib
import ipaddress
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, ParamSpec, TypeVar

from tests.lab.netns import NETNS_DIRECTORY, add_netns, in_netns, ip, remove_netns
from tests.lab.process import enter, spawn, stop
from tests.lab.requirements import LabError, require
from tests.temporary import Temporary

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Nic:
    """A guest's network card on an existing tap; addresses with their prefix length."""

    netns: str
    tap: str
    mac: str
    ip: str = ""
    ip6: str = ""
    mtu: int = 1500
    gw: str = ""
    gw6: str = ""

    @property
    def address(self) -> str:
        return self.ip.partition("/")[0]

    @property
    def address6(self) -> str:
        return self.ip6.partition("/")[0]


@dataclass(frozen=True)
class ClientNs:
    """A namespace with one leg on the segment."""

    netns: str
    ip: str
    ip6: str

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returned, or raised, in a child process inside."""
        return in_netns(self.netns, function, *args, **kwargs)


class Segment(Temporary):
    """Exists between enter and exit; afterwards nothing of it is left on the machine.

    With service_netns the service has a namespace with the server address, so that
    many tests can use port 2049 at once; without, the root namespace has the address.
    """

    def __init__(self, *, service_netns: bool = True, mtu: int = 1500) -> None:
        require("ip", "nsenter", "setpriv", devices=("/dev/net/tun",), root=True)
        tag = secrets.token_hex(3)
        self.name = f"rs-{tag}"
        self.mtu = mtu
        self.netns = f"{self.name}-lab"
        self.service_netns = f"{self.name}-srv" if service_netns else None
        self.device = "eth0" if service_netns else f"rs{tag}"
        self.network, self.network6 = _free_networks()
        self._taps = 0
        self._clients = 0
        self._hosts = iter(range(100, 250))
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def server(self) -> str:
        """The service's IPv4 address."""
        return self.address(1)

    @property
    def server6(self) -> str:
        """The service's IPv6 address."""
        return self.address6(1)

    def address(self, host: int) -> str:
        """The IPv4 address of this host number, without prefix length."""
        return str(self.network[host])

    def address6(self, host: int) -> str:
        """The IPv6 address of this host number, without prefix length."""
        return str(self.network6[host])

    def _make(self, undo: contextlib.ExitStack) -> None:
        self._add_netns(undo, self.netns)
        # A port forwards from its first moment; no host has to announce itself first.
        bridge = ("forward_delay", "0", "mcast_snooping", "0")
        ip("link", "add", "br0", "type", "bridge", *bridge, netns=self.netns)
        ip(*f"link set br0 mtu {self.mtu} up".split(), netns=self.netns)
        if self.service_netns:
            self._add_netns(undo, self.service_netns)
        else:
            # Deleting the namespace with the other end may come too late.
            undo.callback(self._remove_root_link)
        self._leg(self.service_netns, self.device, "service", 1)
        undo.callback(self._stop_processes)

    def nic(self, host: int | None = None, *, ipv6: bool = True, gateway: bool = False) -> Nic:
        """A network card for a guest, its tap on the bridge, with addresses of this host."""
        host = next(self._hosts) if host is None else host
        tap = f"tap{self._taps}"
        self._taps += 1
        ip(*f"tuntap add {tap} mode tap vnet_hdr".split(), netns=self.netns)
        ip(*f"link set {tap} mtu {self.mtu} master br0 up".split(), netns=self.netns)
        return Nic(
            netns=self.netns,
            tap=tap,
            mac="52:54:00:" + secrets.token_bytes(3).hex(":"),
            ip=f"{self.address(host)}/{self.network.prefixlen}",
            ip6=f"{self.address6(host)}/{self.network6.prefixlen}" if ipv6 else "",
            mtu=self.mtu,
            gw=self.server if gateway else "",
            gw6=self.server6 if gateway and ipv6 else "",
        )

    def client_ns(self, host: int | None = None) -> ClientNs:
        """A new namespace on the bridge with the addresses of this host."""
        host = next(self._hosts) if host is None else host
        name = f"{self.name}-c{self._clients}"
        port = f"client{self._clients}"
        self._clients += 1
        self._add_netns(self._undo, name)
        self._leg(name, "eth0", port, host)
        return ClientNs(name, self.address(host), self.address6(host))

    def run(
        self, argv: Sequence[str], *, timeout: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A finished command that ran where the service runs."""
        done = subprocess.run(
            [*enter(self.service_netns), *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(argv)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def popen(
        self,
        argv: Sequence[str],
        *,
        output: IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """A process where the service runs; it ends with the segment at the latest."""
        process = spawn(argv, netns=self.service_netns, output=output, env=env)
        self._processes.append(process)
        return process

    def _leg(self, netns: str | None, device: str, port: str, host: int) -> None:
        """A veth from the bridge to the namespace (None: the root's) has the host's addresses."""
        peer = ["netns", netns] if netns else ["netns", "1"]
        veth = [*f"link add {port} type veth peer name {device}".split(), *peer]
        ip(*veth, netns=self.netns)
        ip(*f"link set {port} mtu {self.mtu} master br0 up".split(), netns=self.netns)
        ip(*f"link set {device} mtu {self.mtu} up".split(), netns=netns)
        mine, mine6 = self.address(host), self.address6(host)
        ip(*f"addr add {mine}/{self.network.prefixlen} dev {device}".split(), netns=netns)
        ip(*f"addr add {mine6}/{self.network6.prefixlen} dev {device} nodad".split(), netns=netns)

    def _add_netns(self, undo: contextlib.ExitStack, name: str) -> None:
        if (NETNS_DIRECTORY / name).exists():
            raise LabError(f"network namespace {name} exists already")
        add_netns(name)
        undo.callback(remove_netns, name)

    def _remove_root_link(self) -> None:
        with contextlib.suppress(LabError):
            ip("link", "delete", self.device)

    def _stop_processes(self) -> None:
        for process in self._processes:
            stop(process)


def _free_networks() -> tuple[ipaddress.IPv4Network, ipaddress.IPv6Network]:
    """Two networks that no route of the root namespace leads to."""
    routes = json.loads(ip("-json", "route", "show"))
    taken = [ipaddress.ip_network(r["dst"]) for r in routes if r["dst"] != "default"]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        x, y = secrets.randbelow(256), secrets.randbelow(256)
        network = ipaddress.IPv4Network(f"10.{x}.{y}.0/24")
        if not any(network.overlaps(other) for other in taken if other.version == 4):
            six = int.from_bytes(b"\xfd" + secrets.token_bytes(5)) << 80
            return network, ipaddress.IPv6Network((six, 64))
    raise LabError("no free 10.x.y.0/24 network")
