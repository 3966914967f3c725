"""Scenarios of share servers: made, put on one more subnet, removed."""

import contextlib
import subprocess
from collections.abc import Generator, Iterator

import msgspec

from roadstead.drivers.network.marks import Marks
from tests.crash.scenario import End, Scenario, Stage, Subject
from tests.crash.tenancy import NETWORK, SECOND_CIDR
from tests.lab.netns import ip
from tests.roads.network import TYPE

_MORE = {"neutron_net_id": f"{NETWORK}/more", "neutron_subnet_id": SECOND_CIDR}


class ServerEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What the API must say at last. `server` None: it is gone."""

    server: str | None
    share: str | None = "available"
    network: str = "active"
    locations: int = 1

    def differences(self, stage: Stage, subject: Subject) -> Iterator[str]:
        """What it says instead, in words."""
        yield from End(status=self.share).differences(stage, subject)
        answer = stage.admin.send("GET", f"/share-servers/{subject.server_id}")
        found = answer.json()["share_server"]["status"] if answer.status_code == 200 else None
        if found != self.server:
            yield f"share server: {found}, not {self.server}"
        network = stage.api.get(f"/share-networks/{subject.network_id}")["share_network"]
        if network["status"] != self.network:
            yield f"share network: {network['status']}, not {self.network}"
        if self.share == "available":
            paths = stage.api.paths(subject.share_id)
            if len(paths) != self.locations:
                yield f"locations: {paths}, not {self.locations}"


# --- what is asked ------------------------------------------------------------------------------


def _network(stage: Stage, subject: Subject) -> None:
    subject.network_id = stage.tenancy.network(stage.api)


def _create(stage: Stage, subject: Subject) -> None:
    made = stage.api.create_share(
        2, wait=False, share_network_id=subject.network_id, share_type=TYPE
    )
    subject.share_id = made["id"]
    subject.server_id = stage.tenancy.server_of(subject.network_id)["id"]


def _share(stage: Stage, subject: Subject) -> None:
    _network(stage, subject)
    _create(stage, subject)
    stage.api.wait_share(subject.share_id)


def _checked(stage: Stage, subject: Subject) -> None:
    """A share, and its network may have another subnet."""
    _share(stage, subject)
    body = {"share_network_subnet_create_check": _MORE}
    answer = stage.api.post(f"/share-networks/{subject.network_id}/action", body)
    assert answer["compatible"] is True, answer


def _grow(stage: Stage, subject: Subject) -> None:
    path = f"/share-networks/{subject.network_id}/subnets"
    stage.api.post(path, {"share-network-subnet": _MORE})


def _unused(stage: Stage, subject: Subject) -> None:
    _share(stage, subject)
    stage.api.delete_share(subject.share_id)


def _remove(stage: Stage, subject: Subject) -> None:
    stage.admin.call("DELETE", f"/share-servers/{subject.server_id}")


# --- what makes it fail for good, and lets its undo succeed -------------------------------------


@contextlib.contextmanager
def _no_room_for_servers(stage: Stage, _subject: Subject) -> Generator[None]:
    """Nothing can be written where the NFS servers have their directories."""
    directory = stage.state / "exports/local"
    directory.mkdir(parents=True, exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", "ro", "obstacle", str(directory)]
    subprocess.run(argv, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@contextlib.contextmanager
def _server_cannot_start(stage: Stage, subject: Subject) -> Generator[None]:
    """The server's configuration says something else and cannot be written."""
    other = stage.state / "obstacle.conf"
    other.touch()
    file = str(stage.state / "exports/local" / subject.server_id / "ganesha.conf")
    subprocess.run(["mount", "--bind", str(other), file], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", file], check=True)
        other.unlink()


@contextlib.contextmanager
def _stranger_on_the_segment(stage: Stage, subject: Subject) -> Generator[None]:
    """A device that is not ours is a port of the segment's bridge."""
    netns = stage.tenancy.netns
    shown = stage.admin.get(f"/share-networks/{subject.network_id}")["share_network"]
    (subnet,) = shown["share_network_subnets"]
    wire = f"{subnet['network_type']}-{subnet['segmentation_id']}"
    bridge = Marks(netns).bridge(wire)
    ip(*f"link add stranger master {bridge} type veth peer name other".split(), netns=netns)
    try:
        yield
    finally:
        ip("link", "delete", "stranger", netns=netns)


SCENARIOS = (
    Scenario(
        verb="share_server.create", prepare=_network, act=_create, end=ServerEnd(server="active"),
        operations=2,  # the share's, too
    ),
    Scenario(
        verb="share_server.create", prepare=_network, act=_create,
        end=ServerEnd(server="error", share="error"),
        fails_at="export", obstacle=_no_room_for_servers,
    ),
    Scenario(
        verb="share_server.update", prepare=_checked, act=_grow,
        end=ServerEnd(server="active", locations=2),
    ),
    Scenario(
        verb="share_server.update", prepare=_checked, act=_grow,
        end=ServerEnd(server="error", network="error"),
        fails_at="exports", obstacle=_server_cannot_start, messages=False,
    ),
    Scenario(
        verb="share_server.delete", prepare=_unused, act=_remove,
        end=ServerEnd(server=None, share=None),
    ),
    Scenario(
        verb="share_server.delete", prepare=_unused, act=_remove,
        end=ServerEnd(server="error", share=None),
        fails_at="segments", obstacle=_stranger_on_the_segment, messages=False,
    ),
)  # fmt: skip
