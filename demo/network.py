"""The network road: two tenants with the same addresses, each on a segment of its own."""

from __future__ import annotations

import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from demo.direct import GREETING as _GREETING
from demo.direct import reason
from demo.scene import Act, Road, Seen, nothing_of
from demo.stage import DEVICES, PROGRAMS, traces
from demo.together import enter_together
from tests.lab.build import build
from tests.lab.frames import Capture
from tests.lab.guest import Guest
from tests.lab.hosts import UNDERLAY
from tests.lab.nfs_client import NfsClient
from tests.roads.direct import password_of
from tests.roads.network import NetworkRoad, Tenant, address_of, seen, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager, ExitStack

    from tests.live.api import Api
    from tests.roads.direct import Shared

CIDR, VM = "10.0.0.0/24", "10.0.0.50"
SUBNET = f"{CIDR},10.0.0.1"
FIRST, SECOND = "red", "blue"
NO_SUCH = "refused: no such file"


def play(act: Act, stack: ExitStack) -> None:
    """Two tenants made share networks and shares, used them, and took all of it away."""
    Show(act, stack).play()


ROAD = Road(
    name="network",
    about="VM --- tenant's VXLAN --- share server in a namespace",
    play=play,
    programs=(*PROGRAMS, "nft", "ganesha.nfsd", "dbus-daemon", "mkfs.btrfs"),
    devices=DEVICES,
)


class Renter:
    """A tenant's user, and once they are there, its network, share and VM."""

    def __init__(self, name: str, api: Api) -> None:
        self.name = name
        self.api = api
        self.greeting = _GREETING.replace("vm-a", name)
        self.tenant: Tenant
        self.share: Shared
        self.server = ""
        self.options = ""  # of its mounts
        self.vm: NfsClient

    def mount(self) -> str:
        """Nothing, or why its share could not be mounted."""
        mounted = self.vm.mount(self.server, self.share.pseudo, options=self.options)
        return "" if mounted.ok else f"mount: {mounted.output}"


class _Done:
    """Entered when it is done."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do

    def __enter__(self) -> None:
        self._do()

    def __exit__(self, *_: object) -> None:
        pass


class Show:
    """Both tenants on two hosts: one with the share servers, one with the VMs."""

    stage: Callable[[Path], NetworkRoad] = NetworkRoad
    setting = "two hosts with an underlay, roadstead up on the first"

    def __init__(self, act: Act, stack: ExitStack) -> None:
        self.act = act
        self.stack = stack
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-")))
        self.road = type(self).stage(directory)
        self.service_state = ""
        stack.callback(self._nothing_left)
        enter_together(act, stack, {self.setting: self.road})
        self.service_state = self.road.service.state.name
        self.renters = [Renter(name, self._user(name)) for name in (FIRST, SECOND)]

    def play(self) -> None:
        red, blue = self.renters
        self._settle()
        row = self.act.row
        same = f"{red.server} for both"
        row("host", "compares both servers", same, self.addresses)
        for renter in self.renters:
            about = f"mounts {renter.server}, writes"
            row(renter.name, about, "written", lambda r=renter: self.writes(r))
        for renter in self.renters:
            expected = f'"{renter.greeting}"'
            row(renter.name, "reads its share", expected, lambda r=renter: self.reads(r))
        for one, other in ((red, blue), (blue, red)):
            about = f"mounts {other.name}'s path"
            row(
                one.name, about, NO_SUCH,
                lambda a=one, b=other: self.trespasses(a, b),
            )  # fmt: skip
        for renter in self.renters:
            expected = f"VNI {renter.tenant.wire.number} only"
            row("wire", f"{renter.name}'s frames", expected, lambda r=renter: self.frames(r))
        self._leave()
        row("host", "looks for what was theirs", "nothing left", self.nothing_left)

    # --- before the rows ----------------------------------------------------------------------

    def _user(self, name: str) -> Api:
        """A user of a project of its own, known to the stock client as a cloud."""
        service = self.road.service
        done = service.run(
            "roadstead", "users", "add", name, "--project", secrets.token_hex(16),
            "--state", str(service.state),
        )  # fmt: skip
        password = password_of(done.stdout)
        clouds = yaml.safe_load(service.clouds_file.read_text())
        model = clouds["clouds"]["roadstead"]
        auth = {**model["auth"], "username": name, "password": password}
        clouds["clouds"][name] = {**model, "auth": auth}
        service.clouds_file.write_text(yaml.safe_dump(clouds))
        api = service.api()
        return type(api)(service.url, name, password)

    def _settle(self) -> None:
        """Each tenant has a network, a share open to its VM, and the VM."""
        for renter in self.renters:
            self._join(renter)
        image = build()
        guests = {
            renter: Guest(image, [self.road.nic(renter.tenant, VM)], modules=["nfsv4"])
            for renter in self.renters
        }
        managers: dict[str, AbstractContextManager[Any]] = {
            f"{r.name}'s VM boots, at {VM}": guest for r, guest in guests.items()
        }
        for renter in self.renters:
            managers[f"{renter.name} has a share"] = _Done(lambda r=renter: self._rent(r))
        enter_together(self.act, self.stack, managers)
        for renter, guest in guests.items():
            renter.vm = NfsClient(guest)

    def _join(self, renter: Renter) -> None:
        """The tenant has a share network."""
        network = ("share", "network", "create", "--name", "lan")
        self.openstack(
            renter, *network, "--neutron-net-id", "tenant", "--neutron-subnet-id", SUBNET
        )
        body = renter.api.get("/share-networks", name="lan")["share_networks"][0]
        shown = self.road.admin.get(f"/share-networks/{body['id']}")["share_network"]
        wire = wire_of(shown["share_network_subnets"][0])
        renter.tenant = Tenant(renter.api, body["id"], wire, CIDR)

    def _rent(self, renter: Renter) -> None:
        """The tenant has a share on its network, open to its VM."""
        share = ("share", "create", "NFS", "1", "--name", "photos")
        self.openstack(renter, *share, "--share-type", "isolated", "--share-network", "lan")
        share_id = renter.api.get("/shares", name="photos")["shares"][0]["id"]
        renter.api.wait_share(share_id)
        self.openstack(renter, "share", "access", "create", "photos", "ip", VM)
        for rule in renter.api.rules(share_id):
            renter.api.wait_rule(rule["id"])
        renter.share = seen(renter.api, share_id)
        renter.server = address_of(renter.api, renter.share)

    def openstack(self, renter: Renter, *words: str) -> None:
        """The stock client has run as this tenant, its command shown as typed."""
        with self.act.command(["openstack", "--os-cloud", renter.name, *words]):
            self.road.service.openstack(*words, cloud=renter.name)

    # --- rows ---------------------------------------------------------------------------------

    def addresses(self) -> Seen:
        red, blue = self.renters
        text = f"{red.server} for both" if red.server == blue.server else "they differ"
        return Seen(red.server == blue.server, text)

    def writes(self, renter: Renter) -> Seen:
        wrong = renter.mount()
        if wrong:
            return Seen(False, wrong)
        done = renter.vm.write("/mnt/share/hello", renter.greeting)
        return Seen(done.rc == 0, "written" if done.rc == 0 else reason(done.output))

    def reads(self, renter: Renter) -> Seen:
        """Both have written to a file of the same name, at the same address, by now."""
        fresh = "echo 3 > /proc/sys/vm/drop_caches; cat /mnt/share/hello"
        text = renter.vm.guest.sh(fresh, check=False).output
        return Seen(text == renter.greeting, f'"{text}"')

    def trespasses(self, one: Renter, other: Renter) -> Seen:
        tried = NfsClient(one.vm.guest).mount(one.server, other.share.pseudo, "/mnt/other")
        none = not tried.ok and "No such file" in tried.output
        return Seen(none, NO_SUCH if none else "mounted" if tried.ok else reason(tried.output))

    def frames(self, renter: Renter) -> Seen:
        """What crosses the underlay between the two hosts while the VM writes a word."""
        word = secrets.token_hex(16)
        with Capture(self.road.host.netns, UNDERLAY) as capture:
            renter.vm.write("/mnt/share/word", word)
            capture.wait_for(word.encode())
            found = sorted(capture.vnis(word.encode()))
        numbers = ", ".join(map(str, found))
        return Seen(found == [renter.tenant.wire.number], f"VNI {numbers} only")

    # --- the end ------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Neither tenant has anything any more, but its VM."""
        for renter in self.renters:
            renter.vm.umount()
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._give_back, self.renters))

    def _give_back(self, renter: Renter) -> None:
        self.openstack(renter, "share", "delete", "photos")
        renter.api.wait_gone(f"/shares/{renter.share.id}")
        self.openstack(renter, "share", "network", "delete", "lan")

    def nothing_left(self) -> Seen:
        """Neither segments, ports, namespaces nor export servers on the storage host."""

        def look() -> list[str]:
            return [f"{kind} {n}" for kind, n in self.road.count().items() if n]

        return nothing_of(look, seconds=15)

    def _nothing_left(self) -> None:
        words = [host.netns for host in self.road.lab.hosts]
        words += [self.service_state] if self.service_state else []
        found = [trace for word in words for trace in traces(word)]
        if found:
            raise RuntimeError("\n".join(found))
