"""A live service with a real libvirtd and guests: what the hypervisor road's tests share."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadstead.drivers.compute.layout import Layout
from roadstead.drivers.ganesha.conf import MOUNT_PORT
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.hypervisor.libvirt import daemon
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.lab.netns import ip
from tests.lab.requirements import LabError
from tests.lab.segment import Segment
from tests.live.api import WAIT_SECONDS, Api, Refused
from tests.live.service import Roadstead
from tests.temporary import Temporary
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from tests.lab.build import Image
    from tests.lab.guest import Guest

V1 = "/roadstead/v1"
COMPUTE = 20  # the host number of the compute host on a segment
SETTINGS: dict[str, Any] = {
    "sweep_interval_seconds": 3,
    "leak_grace_seconds": 1,
    "backends": {"local": {"pool_options": {"backing_gib": 8}}},
}
# libnfs cannot write by NFSv4.
BY_NFS: dict[str, Any] = {
    "sweep_interval_seconds": 3,
    "leak_grace_seconds": 1,
    "backends": {
        "local": {"pool_options": {"backing_gib": 8}, "export_options": {"nfs3": True}},
    },
}


class Hypervised(Temporary):
    """Between enter and exit a service whose agent is also the compute host of a libvirtd.

    libvirtd has a mount namespace of its own. What the agent mounts reaches virtiofsd there,
    because the directory of its mounts is shared before that namespace is made.
    """

    def __init__(self, image: Image, *, network: bool = False) -> None:
        """`network`: the compute host gets at shares by NFS only, at an address of its own."""
        self.image = image
        self._network = network
        self._domains: list[Domain] = []

    def _make(self, undo: contextlib.ExitStack) -> None:
        self.segment = undo.enter_context(Segment())
        compute: dict[str, Any] = {}
        settings = SETTINGS
        if self._network:
            self.address = undo.enter_context(compute_leg(self.segment))
            compute, settings = by_nfs(self.address), BY_NFS
        self.service = Roadstead(self.segment, settings=settings)
        self.mounts = self.service.state / "run/compute"
        undo.callback(self.service.clean_up)
        self.libvirtd = undo.enter_context(private_libvirtd(self.service))
        self.service.config["compute"] |= compute
        self.service.start()
        undo.callback(self.forget_domains)
        self.api: Api = self.service.api()
        self.admin: Api = self.service.api("roadstead-admin")
        self.project = project_of(self.service, "demo")

    # --- VMs ----------------------------------------------------------------------------------

    def domain(self, *, project: str | None = "", **options: Any) -> Domain:
        """A new guest, of the demo project unless said otherwise, that the API knows."""
        owner = self.project if project == "" else project
        made = Domain(self.libvirtd, self.image, project_id=owner, **options).__enter__()
        self._domains.append(made)
        self.wait_vm(made, running=options.get("running", True))
        return made

    def forget_domains(self) -> None:
        """libvirt knows none of the guests made here."""
        while self._domains:
            self._domains.pop().close()

    def wait_vm(self, domain: Domain, **facts: object) -> dict[str, Any]:
        """What the API tells of the VM, once that has these facts."""

        def look() -> dict[str, Any] | None:
            vms = v1(self.admin, "GET", "/vms")["vms"]
            found = next((vm for vm in vms if vm["id"] == domain.id), None)
            return found if found and facts.items() <= found.items() else None

        return until(look, f"VM {domain.name} with {facts}")

    def qemu(self, domain: Domain) -> int:
        """The process that runs the guest."""
        (pid,) = (
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if _runs(path, f"uuid\0{domain.id}")
        )
        return pid

    # --- attachments --------------------------------------------------------------------------

    def share(self, **fields: Any) -> str:
        """The id of a new share of the demo project."""
        return self.api.create_share(fields.pop("size", 1), **fields)["id"]

    def attach(
        self,
        share_id: str,
        vm: Domain,
        *,
        state: str = "active",
        api: Api | None = None,
        **how: Any,
    ) -> dict[str, Any]:
        """The attachment, in that state."""
        api = api or self.api
        body = {"share_id": share_id, "vm": vm.id, **how}
        made = v1(api, "POST", "/attachments", {"attachment": body})["attachment"]
        return self.wait_attachment(made["id"], state)

    def attachment(self, attachment_id: str) -> dict[str, Any] | None:
        """The attachment; None when it is gone."""
        try:
            return v1(self.admin, "GET", f"/attachments/{attachment_id}")["attachment"]
        except Refused as refused:
            if refused.status != 404:
                raise
        return None

    def shown(self, attachment_id: str) -> dict[str, Any]:
        """The attachment, which is there."""
        found = self.attachment(attachment_id)
        assert found, f"attachment {attachment_id} is gone"
        return found

    def wait_attachment(
        self, attachment_id: str, state: str, *, seconds: float = WAIT_SECONDS
    ) -> dict[str, Any]:
        """The attachment in that state; AssertionError when it is another one for good."""

        def look() -> dict[str, Any] | None:
            found = self.shown(attachment_id)
            assert found["state"] != "error" or state == "error", found["error"]
            return found if found["state"] == state else None

        return until(look, f"attachment in state {state}", seconds=seconds)

    def detach(self, attachment_id: str, *, force: bool = False, wait: bool = True) -> None:
        """The attachment is gone, or going."""
        suffix = "?force=true" if force else ""
        v1(self.api, "DELETE", f"/attachments/{attachment_id}{suffix}")
        if wait:
            self.wait_gone(attachment_id)

    def wait_gone(self, attachment_id: str, *, seconds: float = WAIT_SECONDS) -> None:
        """The attachment is gone."""
        until(lambda: self.attachment(attachment_id) is None, "attachment is gone", seconds=seconds)

    def operations(self, attachment_id: str) -> list[dict[str, Any]]:
        """The attachment's operations, as its own project sees them."""
        found = v1(self.api, "GET", "/operations")["operations"]
        return [o for o in found if o["resource_id"] == attachment_id]

    def database(self) -> sqlite3.Connection:
        """The service's database, for a look or a change behind its back."""
        return sqlite3.connect(self.service.state / "db/roadstead.sqlite", timeout=20)

    # --- the world ----------------------------------------------------------------------------

    def inside(self, share_id: str) -> Path:
        """The share's files on this host, beside every road."""
        instance = self.instance(share_id)
        return self.service.state / "pools/local/mnt" / instance

    def instance(self, share_id: str) -> str:
        """The id of the share's only instance."""
        (path,) = {p.rpartition("/share-")[2] for p in self.api.paths(share_id)}
        return path

    def daemons(self, attachment_id: str) -> list[int]:
        """The attachment's virtiofsd, which is two processes."""
        return daemon.running(self.mounts).get(attachment_id, [])

    def left(self, attachment_id: str) -> list[str]:
        """What of the attachment is in the world: daemon, view of the share, device."""
        found = [f"virtiofsd {pid}" for pid in self.daemons(attachment_id)]
        found += [point for point in table.read() if point.endswith(f"/{attachment_id}")]
        found += [str(p) for p in Layout(str(self.mounts)).binds_of(attachment_id)]
        return found

    def mounted(self) -> list[str]:
        """The shares that are mounted for VMs, by `instance id/level`."""
        points = (Path(point) for point in table.read() if point.startswith(f"{self.mounts}/"))
        return sorted(str(p.parent.relative_to(self.mounts)) for p in points if p.name == "mount")


def by_nfs(address: str) -> dict[str, Any]:
    """The `compute` settings of a host that mounts shares by FUSE from that address."""
    return {
        "local_mounts": False,
        "nfs_client": "fuse",
        "storage_address": address,
        "mounts_options": {
            "fuse_options": f"version=3&uid=0&gid=0&mountport={MOUNT_PORT}&nfsport=2049"
        },
    }


@contextlib.contextmanager
def compute_leg(segment: Segment) -> Generator[str]:
    """The address by which this machine, as a compute host, reaches the segment's export server;
    a port mapper is there for the server, which does not start NFSv3 without."""
    with contextlib.ExitStack() as stack:
        assert segment.service_netns
        address, device = segment.address(COMPUTE), f"{segment.name}-h".replace("rs-", "rsh")[:15]
        veth = f"link add compute type veth peer name {device} netns 1"
        ip(*veth.split(), netns=segment.netns)
        stack.callback(_remove_link, device)
        ip(*"link set compute master br0 up".split(), netns=segment.netns)
        ip(*f"addr add {address}/{segment.network.prefixlen} dev {device}".split())
        ip("link", "set", device, "up")
        # With a /run of its own, where it has its socket at a fixed place.
        script = "mount -t tmpfs tmpfs /run && mkdir /run/rpcbind && exec rpcbind -f"
        argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script]
        segment.popen(argv)
        until(lambda: _listens(segment, 111), "rpcbind answers", seconds=10)
        yield address


def _remove_link(device: str) -> None:
    with contextlib.suppress(LabError):  # gone with the segment's namespace
        ip("link", "delete", device)


def _listens(segment: Segment, port: int) -> bool:
    told = segment.run(["cat", "/proc/self/net/tcp"]).stdout
    return f":{port:04X} 00000000:0000 0A" in told


def _runs(cmdline: Path, words: str) -> bool:
    with contextlib.suppress(OSError):
        return words in cmdline.read_bytes().decode(errors="replace")
    return False


def private_libvirtd(service: Roadstead) -> Libvirtd:
    """A libvirtd for the service that is not started yet: its configuration names it."""
    mounts = service.state / "run/compute"
    mounts.mkdir(parents=True)

    class Configured(Libvirtd):
        def _make(self, undo: contextlib.ExitStack) -> None:
            super()._make(undo)
            options = {"uri": self.uri, "detach_seconds": 3.0}
            service.config["compute"] = {"hypervisor": "libvirt", "hypervisor_options": options}

    return Configured(shared=[mounts])


def project_of(service: Roadstead, user: str) -> str:
    """The id of the project of a user of the first start."""
    lines = (service.state / "etc/users").read_text().splitlines()
    return next(words[2] for line in lines if (words := line.split(":"))[0] == user)


def v1(api: Api, method: str, path: str, body: Any = None) -> Any:
    """The decoded answer of Roadstead's own API; Refused if it is none of 2xx."""
    response = api.session.request(method, f"{api.url}{V1}{path}", json=body, timeout=60)
    if not 200 <= response.status_code < 300:
        raise Refused(method, path, response)
    return response.json() if response.content else None


def mount(guest: Guest, attachment: Mapping[str, Any], at: str = "/mnt/share") -> None:
    """The guest has typed the attachment's own mount command."""
    assert isinstance(guest, Domain)
    words: Sequence[str] = attachment["mount_command"].split()
    done = guest.mount(" ".join([*words[:-1], at]))
    assert done.rc == 0, done.output
