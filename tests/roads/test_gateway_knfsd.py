"""The gateway road in front of a Linux NFS server, whose export rules exportfs makes over ssh: a
machine of its own on the storage network, from where the agent mounts its tree."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.drivers.pool.filer.mount import FilerMount
from tests.lab import nfs4
from tests.lab.knfsd import KnfsdFiler
from tests.lab.netns import ip
from tests.lab.rpc import RpcError
from tests.lab.segment import Segment
from tests.roads.direct import Shared, Writer
from tests.roads.gateway import DEVICE, PHYSICAL, GatewayRoad
from tests.roads.network import Tenant, address_of, level, mount
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.fixtures import GuestFactory
    from tests.lab.guest import Guest

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

FILER = 2  # its number on the storage network
VM, OTHER, THIRD = "10.0.0.50", "10.0.0.60", "10.0.0.70"


class KnfsdNetwork(Temporary):
    """A storage network with a leg in the agent's namespace, where one logs in to the filer and
    mounts its tree, and a cable to each host that has gateways."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts

    def _make(self, undo: contextlib.ExitStack) -> None:
        self.segment = undo.enter_context(Segment(service_netns=False))
        for number, host in enumerate(self._hosts):
            self._cable(host, f"host{number}")
        admin = [self.segment.server]
        self.filer = undo.enter_context(KnfsdFiler(self.segment.nic(FILER), admin=admin))
        self.tree = Path(tempfile.mkdtemp(prefix="rs-tree-", dir="/tmp"))
        undo.callback(self.tree.rmdir)
        # The agent leaves it mounted when it ends.
        undo.callback(self._mount().ensure_absent)

    @property
    def source(self) -> str:
        """The administrator's export of the tree."""
        return f"{self.segment.address(FILER)}:{self.filer.tree}"

    @property
    def subnets(self) -> list[str]:
        """Where gateways may take addresses."""
        four, six = self.segment.address, self.segment.address6
        return [
            f"{self.segment.network},{four(20)}-{four(90)}",
            f"{self.segment.network6},{six(0x200)}-{six(0xFFF0)}",
        ]

    def _cable(self, netns: str, port: str) -> None:
        far = ("peer", "name", DEVICE, "netns", netns)
        ip("link", "add", port, "type", "veth", *far, netns=self.segment.netns)
        ip("link", "set", port, "master", "br0", "up", netns=self.segment.netns)
        ip("link", "set", DEVICE, "up", netns=netns)

    def _mount(self) -> FilerMount:
        logs = self.tree.parent
        return FilerMount(self.source, self.tree, nfs_options="", fuse_options="", logs=logs)


class KnfsdRoad(GatewayRoad):
    storage: KnfsdNetwork  # type: ignore[assignment]

    def _surround(self, undo: contextlib.ExitStack) -> None:
        self.storage = undo.enter_context(KnfsdNetwork([host.netns for host in self.lab.hosts]))

    def backend(self) -> dict[str, Any]:
        machine = self.storage.filer
        return {
            "pool": "filer",
            "export": "gateway",
            "roads": ["gateway"],
            "storage": {"physical_network": PHYSICAL, "subnets": self.storage.subnets},
            "filer": {
                "addresses": [machine.nic.address, machine.nic.address6],
                "control": "exportfs",
                "control_options": machine.control_options(None),
                "tree": str(self.storage.tree),
                "mount": self.storage.source,
                "path": machine.tree,
            },
        }

    def share(self, tenant: Tenant, *admitted: str, **fields: Any) -> Shared:
        """A share of the tenant's; clients of a knfsd mount its directory by the filer's name."""
        made = tenant.share(*admitted, **fields)
        tree, _, instance = made.pseudo.rpartition("/")
        assert tree == f"{self.storage.filer.tree}/roadstead/shares"
        return dataclasses.replace(made, instance=instance)

    def sources(self, share: Shared) -> dict[str, str]:
        query = "SELECT purpose, address FROM flow_leases WHERE instance_id = ?"
        with contextlib.closing(self.database()) as database:
            found = database.execute(query, (share.instance,)).fetchall()
        return {p: a for p, a in found if p != "share" and ":" not in a}

    def exports(self) -> dict[str, dict[str, str]]:
        """{path: {address: level}} of what the filer's exportfs tells, the administrator's too."""
        found: dict[str, dict[str, str]] = {}
        for line in self.storage.filer.sh("exportfs -s").splitlines():
            path, who = line.split()
            address, _, options = who.partition("(")
            words = options.rstrip(")").split(",")
            found.setdefault(path, {})[address] = "rw" if "rw" in words else "ro"
        return found


ROAD = KnfsdRoad


@pytest.fixture(scope="module")
def guest(road: KnfsdRoad, tenant: Tenant, guest_factory: GuestFactory) -> Guest:
    return guest_factory([road.nic(tenant, VM)], modules=["nfsv4"])


@pytest.mark.isolation
def test_two_tenants_with_equal_addresses(road: KnfsdRoad, tenant: Tenant) -> None:
    """G-I1, G-I3: each gets its own share only; the filer knows them by their gateways' addresses,
    and its administrator's export is as it was."""
    bob = road.tenant("bob")
    owned = [(tenant, road.share(tenant, VM)), (bob, road.share(bob, VM))]
    for (who, share), (_, foreign) in zip(owned, reversed(owned), strict=True):
        server = address_of(who.api, share)
        assert road.exports()[share.pseudo] == {road.sources(share)["rw"]: "rw"}
        with road.client(who, VM) as client:
            assert level(client, server, share) == "rw"
            assert level(client, server, foreign) == "none"
    assert road.exports()[road.storage.filer.tree] == {road.storage.segment.server: "rw"}


@pytest.mark.isolation
def test_levels_and_cutting_off(road: KnfsdRoad, tenant: Tenant) -> None:
    """G-I2, X-3: reader, writer, stranger; denied with a file open; and nothing of a writer's stays
    with the filer."""
    share = road.share(tenant)
    rule = tenant.api.allow(share.id, VM)
    tenant.api.allow(share.id, OTHER, "ro")
    server, sources = address_of(tenant.api, share), road.sources(share)
    assert road.exports()[share.pseudo] == {sources["rw"]: "rw", sources["ro"]: "ro"}
    with (
        road.client(tenant, VM) as writer,
        road.client(tenant, OTHER) as reader,
        road.client(tenant, THIRD) as stranger,
    ):
        with nfs4.Client(server, netns=writer.netns) as session:
            file = session.open(session.lookup(share.pseudo), "file", write=True, create=True)
            session.write(file, 0, b"before")
            assert level(reader, server, share) == "ro"
            with pytest.raises(ConnectionRefusedError):
                level(stranger, server, share)
            tenant.api.deny(share.id, rule["id"])
            with pytest.raises((OSError, EOFError, RpcError)):
                session.write(file, 0, b"after!")
        assert road.exports()[share.pseudo] == {sources["ro"]: "ro"}
        assert level(reader, server, share) == "ro"
    there = f"{road.storage.filer.tree}/roadstead/shares/{share.instance}/file"
    assert road.storage.filer.sh(f"cat {there}") == "before"


def test_nothing_is_left_of_a_deleted_share(road: KnfsdRoad, tenant: Tenant) -> None:
    """G-I5: neither on the filer, nor of addresses."""
    before = road.leased(), road.exports()
    share = road.share(tenant, VM)
    assert share.pseudo in road.exports()
    tenant.api.delete_share(share.id)
    assert (road.leased(), road.exports()) == before
    assert share.instance not in road.storage.filer.sh(f"find {road.storage.filer.tree}")


def test_the_nfs_server_restarts_under_load(road: KnfsdRoad, tenant: Tenant, guest: Guest) -> None:
    """The file stays open in the guest, and nothing is lost; the agent has its tree back, too."""
    share = road.share(tenant, VM)
    mount(guest, address_of(tenant.api, share), share, "/mnt/load", options="noac")
    writer = Writer(guest, "/mnt/load")
    road.storage.filer.restart()
    writer.wait_lines(3)
    writer.finish()
    guest.sh("umount /mnt/load")
    tenant.api.delete_share(share.id)
    assert share.instance not in road.storage.filer.sh(f"find {road.storage.filer.tree}")
