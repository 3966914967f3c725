"""A live service whose share servers are on tenants' segments, and VMs there: what the network
road's tests share."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from roadstead.drivers.host import netlink
from roadstead.model.ids import place_netns
from roadstead.model.networks import SegmentSpec
from tests.lab import nfs4
from tests.lab.hosts import UNDERLAY, Client, TwoHosts, hold_back
from tests.lab.links import links
from tests.lab.netns import in_thread, ip
from tests.lab.nfs_client import NfsClient
from tests.lab.segment import Nic
from tests.live.killable import Killable
from tests.live.service import _merged
from tests.roads.direct import Shared, level_of, password_of
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from roadstead.model.world import Mark
    from tests.lab.guest import Guest
    from tests.lab.hosts import Host
    from tests.live.api import Api

BACKEND, TYPE = "local", "isolated"
CIDR, GATEWAY = "10.0.0.0/24", "10.0.0.1"
CLIENT = "10.0.0.50"  # the address that shares admit
# Settings: unused share servers are not kept; what fails again and again fails for good soon, too.
UNKEPT: dict[str, Any] = {"network": {"unused_minutes": 0}}
IMPATIENT: dict[str, Any] = {**UNKEPT, "operation_timeout_seconds": 8}
STORAGE, COMPUTE = 0, 1  # the two hosts; the agent's share servers are on the first
T = TypeVar("T")


@dataclass(frozen=True)
class Tenant:
    """A project with a user, and its share network on a segment of its own."""

    api: Api
    network: str  # id of the share network
    wire: SegmentSpec
    cidr: str

    def share(self, *admitted: str, level: str = "rw", **fields: Any) -> Shared:
        """A new share on the tenant's network that admits these addresses."""
        made = self.api.create_share(share_network_id=self.network, share_type=TYPE, **fields)
        shared = seen(self.api, made["id"])
        for address in admitted:
            self.api.allow(shared.id, address, level)
        return shared


class NetworkRoad(Temporary):
    """A service between enter and exit. It works on the first of two hosts."""

    pool = "image"

    def __init__(
        self,
        directory: Path,
        *,
        ovs: bool = False,
        networks: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.lab = TwoHosts(directory, ovs=ovs)
        self._settings = settings or {}
        self._networks = networks or {"tenant": {"type": "vxlan", "ids": "1000-1999"}}
        self._numbers = iter(range(1, 1000))

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.enter_context(self.lab)
        self.driver = self.lab.driver(STORAGE)
        self.far = self.lab.driver(COMPUTE)
        self._surround(undo)
        self.service = Killable(pool=self.pool, settings=_merged(self._config(), self._settings))
        undo.enter_context(self.service)
        self.admin: Api = self.service.api("roadstead-admin")
        _make_type(self.admin)

    def _surround(self, undo: contextlib.ExitStack) -> None:
        """What the service needs besides the two hosts is there."""

    @property
    def host(self) -> Host:
        """Where the share servers are."""
        return self.lab.hosts[STORAGE]

    def _config(self) -> dict[str, Any]:
        return {
            "sweep_interval_seconds": 1,
            "leak_grace_seconds": 1,
            "backends": {BACKEND: {"roads": ["network"], "pool_options": {"backing_gib": 60}}},
            "network": {**network_section(self.lab), "unused_minutes": 60},
            "networks": self._networks,
        }

    # --- tenants ------------------------------------------------------------------------------

    def tenant(self, name: str, *, on: str = "tenant", cidr: str = CIDR) -> Tenant:
        """A new project with a share network there."""
        done = self.service.run(
            "roadstead", "users", "add", name, "--project", secrets.token_hex(16),
            "--state", str(self.service.state),
        )  # fmt: skip
        api = self.service.api()
        api = type(api)(self.service.url, name, password_of(done.stdout))
        return self.network(api, name=name, on=on, cidr=cidr)

    def network(self, api: Api, *, name: str, on: str = "tenant", cidr: str = CIDR) -> Tenant:
        """A share network of this user."""
        body = {"name": name, "neutron_net_id": on, "neutron_subnet_id": f"{cidr},{_first(cidr)}"}
        made = api.post("/share-networks", {"share_network": body})["share_network"]
        # Which segment it is, only administrators are told.
        shown = self.admin.get(f"/share-networks/{made['id']}")["share_network"]
        (subnet,) = shown["share_network_subnets"]
        return Tenant(api, made["id"], wire_of(subnet), cidr)

    def second(self, tenant: Tenant, cidr: str) -> Tenant:
        """The same network, as seen from its subnet of that CIDR."""
        shown = self.admin.get(f"/share-networks/{tenant.network}")["share_network"]
        (subnet,) = (s for s in shown["share_network_subnets"] if s["cidr"] == cidr)
        return Tenant(tenant.api, tenant.network, wire_of(subnet), cidr)

    # --- share servers ------------------------------------------------------------------------

    def servers(self, network: str | None = None) -> list[dict[str, Any]]:
        """What the administrator is told."""
        found = self.admin.get("/share-servers")["share_servers"]
        return [s for s in found if network in (None, s["share_network_id"])]

    def server(self, tenant: Tenant) -> dict[str, Any]:
        """The one server of the tenant's network."""
        (found,) = self.servers(tenant.network)
        return self.admin.get(f"/share-servers/{found['id']}")["share_server"]

    def marks(self) -> dict[tuple[str, str], Mark]:
        """What the storage host has of segments, ports and namespaces."""
        return {(mark.kind, mark.id): mark for mark in self.driver.inventory()}

    def count(self) -> Counter[str]:
        """How many of each there are, NFS servers among them."""
        found = Counter(kind for kind, _ in self.marks())
        found["server"] = len(self._server_pids())
        return found

    def _server_pids(self) -> list[int]:
        running = processes().items()
        return [pid for pid, words in running if is_server(words, self.service.state)]

    def everything(self) -> set[str]:
        """All there is of share servers, each by kind and name: equal before and after when nothing
        leaked."""
        found = {f"{kind} {id_}" for kind, id_ in self.marks()}
        return found | {f"NFS server {pid}" for pid in self._server_pids()}

    def wait_unused(self) -> None:
        """No share server is left: the last one's shares have gone, and it is not kept."""
        until(lambda: not self.servers(), "no share server is left", why=self.servers)

    def drift(self) -> list[dict[str, Any]]:
        """What the sweep found."""
        url = f"{self.admin.url}/roadstead/v1/drift"
        return self.admin.session.get(url, timeout=60).json()["drift"]

    def database(self) -> sqlite3.Connection:
        """The service's database, for a look behind its back."""
        return sqlite3.connect(self.service.state / "db/roadstead.sqlite", timeout=20)

    # --- killing ------------------------------------------------------------------------------

    def killed_at(self, point: str, act: Callable[[], T]) -> T:
        """What `act` returned; the agent came to `point` and died of SIGKILL there. Another one
        starts already."""
        before, armed = self.deaths(), self.service.arm(point)
        found = act()
        until(lambda: not armed.exists(), f"the agent came to {point}")
        until(lambda: self.deaths() > before, f"the agent died at {point}")
        return found

    @contextlib.contextmanager
    def held_at(self, point: str) -> Iterator[None]:
        """Agents die at `point`, one after the other, for as long as the block takes."""
        ended = threading.Event()

        def arm() -> None:
            while not ended.wait(0.02):
                self.service.arm(point)

        keeper = threading.Thread(target=arm, name="killer")
        armed = self.service.arm(point)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            armed.unlink(missing_ok=True)

    def deaths(self) -> int:
        """How many agents the supervisor saw die of SIGKILL."""
        return self.service.deaths()

    def lose_everything(self) -> None:
        """What a reboot takes: every process, namespace and device of the share servers."""
        for pid in self._server_pids():
            os.kill(pid, signal.SIGKILL)
        for mark in self.driver.inventory():
            if mark.kind == "place":
                ip("netns", "delete", str(mark.facts["netns"]))
        host = self.host.netns
        for link in links(host):
            if link.get("linkinfo", {}).get("info_kind") in ("bridge", "vxlan"):
                ip("link", "delete", link["ifname"], netns=host)
        subprocess.run(["ip", "netns", "exec", host, "nft", "flush", "ruleset"], check=True)

    # --- clients ------------------------------------------------------------------------------

    def bridge(self, wire: SegmentSpec, on: int = COMPUTE) -> str:
        """Where a VM's tap goes on that host."""
        return (self.driver if on == STORAGE else self.far).ensure_segment(wire).device

    def nic(self, tenant: Tenant, address: str, *, on: int = COMPUTE) -> Nic:
        """A card for a VM of the tenant; it may speak as this address only."""
        host, number = self.lab.hosts[on], next(self._numbers)
        bridge, mtu = self.bridge(tenant.wire, on), _mtu(tenant.wire)
        tap, mac = f"vm{number}", "52:54:00:" + secrets.token_bytes(3).hex(":")
        length = tenant.cidr.partition("/")[2]
        ip(*f"tuntap add {tap} mode tap vnet_hdr".split(), netns=host.netns)
        hold_back(host, tap, mac, f"{address}/{length}")
        ip(*f"link set {tap} mtu {mtu} master {bridge} up".split(), netns=host.netns)
        netlink.within(host.netns, lambda links: links.wait_until_forwarding(tap))
        field = "ip6" if ":" in address else "ip"
        return Nic(netns=host.netns, tap=tap, mac=mac, mtu=mtu, **{field: f"{address}/{length}"})

    @contextlib.contextmanager
    def client(self, tenant: Tenant, *addresses: str, on: int = COMPUTE) -> Iterator[Client]:
        """A cheap client on the tenant's segment; nobody holds it back."""
        length = tenant.cidr.partition("/")[2]
        full = [f"{address}/{length}" for address in addresses]
        bridge = self.bridge(tenant.wire, on)
        with Client(self.lab.hosts[on], bridge, *full, mtu=_mtu(tenant.wire)) as made:
            yield made


class Rented:
    """A tenant with a share on its network, and a VM there once that has booted."""

    def __init__(self, road: NetworkRoad, name: str) -> None:
        self.name = name
        self.tenant: Tenant = road.tenant(name)
        self.share: Shared = self.tenant.share(CLIENT)
        self.server = address_of(self.tenant.api, self.share)
        self.nic = road.nic(self.tenant, CLIENT)
        self.guest: Guest

    def mount(self, at: str = "/mnt/share", *, options: str = "noac", **how: str) -> NfsClient:
        """The VM has the share mounted."""
        return mount(self.guest, self.server, self.share, at, options=options, **how)


def network_section(lab: TwoHosts) -> dict[str, Any]:
    """The configuration's [network] of an agent whose share servers are on the first host."""
    first = lab.hosts[STORAGE]
    options: dict[str, Any] = {
        "underlay": UNDERLAY,
        "vxlan_remotes": [first.peer],
        "physical_networks": {"trunk": "trunk0", "flat": "flat0"},
        "netns": first.netns,
        "owner": first.netns,
        "ovs_database": "unix:/nowhere",
    }
    if lab.switches:
        options["ovs_database"] = lab.switches[STORAGE].database
    return {"driver": "segments", "options": options}


def _make_type(admin: Api) -> None:
    specs = {"driver_handles_share_servers": "True"}
    admin.post("/types", {"share_type": {"name": TYPE, "extra_specs": specs}})


def _first(cidr: str) -> str:
    return str(next(ipaddress.ip_network(cidr).hosts()))


def _mtu(wire: SegmentSpec) -> int:
    return 1450 if wire.kind == "vxlan" else 1500


def wire_of(subnet: Mapping[str, Any]) -> SegmentSpec:
    """The segment that the API tells of."""
    kind, number = subnet["network_type"], subnet["segmentation_id"]
    physical = "" if kind == "vxlan" else {"vlan": "trunk", "flat": "flat"}[kind]
    spec = SegmentSpec(id="x", kind=kind, number=number, physical_network=physical)
    return SegmentSpec(id=spec.wire, kind=kind, number=number, physical_network=physical)


def create(tenant: Tenant) -> str:
    """The id of a share that is being made."""
    share = tenant.api.create_share(wait=False, share_network_id=tenant.network, share_type=TYPE)
    return share["id"]


def seen(api: Api, share_id: str) -> Shared:
    """The share as clients know it."""
    pseudo = api.paths(share_id)[0].rpartition(":")[2]
    return Shared(share_id, pseudo, pseudo.removeprefix("/share-"))


def address_of(api: Api, share: Shared) -> str:
    """The share server's first address, from the export location."""
    return api.paths(share.id)[0].rpartition(":")[0].strip("[]")


def level(client: Client, server: str, share: Shared) -> str:
    """What the client really gets: rw, ro or none."""
    with nfs4.Client(server, netns=client.netns) as session:
        return level_of(session, share)


def mount(
    guest: Guest, server: str, share: Shared, at: str = "/mnt/share", **how: Any
) -> NfsClient:
    """The guest has the share mounted."""
    client = NfsClient(guest)
    mounted = client.mount(server, share.pseudo, at, **how)
    assert mounted.ok, mounted.output
    return client


def connects(client: Client, address: str) -> bool:
    """Somebody there takes the client's TCP connection to the NFS port."""

    def call() -> bool:
        try:
            with socket.create_connection((address, 2049), timeout=2):
                return True
        except OSError:
            return False

    return in_thread(client.netns, call)


def processes() -> dict[int, list[str]]:
    """Every process' command line."""
    found: dict[int, list[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            found[int(process.name)] = words
    return found


def is_server(words: Sequence[str], state: Path) -> bool:
    """The command line is a Ganesha's, of this service."""
    name = os.path.basename(words[0])
    return name == "ganesha.nfsd" and any(word.startswith(f"{state}/") for word in words)


__all__ = [
    "CIDR", "COMPUTE", "STORAGE", "TYPE", "NetworkRoad", "Tenant", "address_of", "connects",
    "create", "level", "mount", "place_netns", "seen",
]  # fmt: skip
