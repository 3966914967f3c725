"""keepalived's configuration, and keepalived itself between two namespaces."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.drivers.failover.keepalived import conf
from roadstead.drivers.failover.keepalived.conntrackd import Conntrackd
from roadstead.drivers.failover.keepalived.driver import Keepalived
from roadstead.drivers.host import conntrack, netlink, process
from roadstead.model.errors import Transient
from roadstead.model.pairs import PairSpec
from roadstead.model.world import Place
from tests.lab.frames import Capture
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.requirements import require
from tests.roads.gateway_pair import addresses_in
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.drivers.host.conntrack import Connection

SPEC = PairSpec(
    interface="st",
    own="172.30.0.21",
    peer="172.30.0.22",
    neighbours=("172.30.0.2",),
    first=True,
    addresses={"te": ("10.0.0.50/24", "fd00::50/64"), "st": ("172.30.0.50/24",)},
)


def test_the_election_is_by_unicast_on_the_storage_leg():
    text = conf.text(SPEC, "/run/leg.sh")
    lines = [line.strip() for line in text.splitlines()]
    for line in ("interface st", "vrrp_version 3", "priority 150", "unicast_src_ip 172.30.0.21"):
        assert line in lines
    assert lines[lines.index("unicast_peer {") + 1] == "172.30.0.22"
    assert 'script "/run/leg.sh st 172.30.0.22 172.30.0.2"' in text


def test_every_address_is_on_its_own_interface_and_none_is_advertised():
    text = conf.text(SPEC, "x")
    advertised, excluded = text.split("virtual_ipaddress_excluded")
    assert advertised.endswith("virtual_ipaddress {\n    127.0.0.254/32 dev lo\n  }\n  ")
    for line in ("10.0.0.50/24 dev te", "fd00::50/64 dev te", "172.30.0.50/24 dev st"):
        assert line in excluded


def test_it_is_the_same_for_the_same_addresses_in_another_order():
    turned = {"st": ("172.30.0.50/24",), "te": ("fd00::50/64", "10.0.0.50/24")}
    other = msgspec.structs.replace(SPEC, addresses=turned)
    assert conf.text(other, "x") == conf.text(SPEC, "x")


def test_the_second_has_less_to_say():
    second = msgspec.structs.replace(SPEC, first=False)
    assert "priority 100" in conf.text(second, "x")


def test_it_speaks_ipv6_where_the_storage_network_does():
    six = msgspec.structs.replace(SPEC, own="fd30::21", peer="fd30::22")
    assert "fd72:6f61:6473::1/128 dev lo" in conf.text(six, "x")


def test_who_is_to_be_told_hears_who_has_won():
    lines = [line.strip() for line in conf.text(SPEC, "x", "/run/turn.sh a").splitlines()]
    assert 'notify_master "/run/turn.sh a master" root' in lines
    assert 'notify_backup "/run/turn.sh a backup" root' in lines
    assert "notify" not in conf.text(SPEC, "x")


def test_connections_are_told_by_unicast_on_the_storage_leg(tmp_path: Path):
    lines = [line.strip() for line in Conntrackd(tmp_path).text("a", SPEC).splitlines()]
    for line in ("IPv4_address 172.30.0.21", "IPv4_Destination_Address 172.30.0.22"):
        assert line in lines
    assert {"Interface st", "Port 3780", "TCP"} <= set(lines)
    six = msgspec.structs.replace(SPEC, own="fd30::21", peer="fd30::22")
    assert "IPv6_address fd30::21" in Conntrackd(tmp_path).text("a", six)


# --- with real parts ------------------------------------------------------------------------------

# Of a gateway's rules what makes a connection one that it passes; this client is inside it.
PASSED = """
add table ip t
add chain ip t out { type nat hook output priority -100; }
add chain ip t post { type nat hook postrouting priority 100; }
add rule ip t out ip daddr 10.0.0.50 tcp dport 2049 ct mark set 6 dnat to 172.30.0.2:2049
add rule ip t post ct mark 6 snat to 172.30.0.50
"""


class Two:
    """Two gateways' namespaces on a storage and a tenant's segment, with a neighbour on each."""

    def __init__(self, directory: Path) -> None:
        tag = secrets.token_hex(3)
        self.switch, self.filer = f"rs-{tag}-sw", f"rs-{tag}-f"
        self.places = [Place(id=f"{tag}-{i}", netns=f"rs-{tag}-{i}") for i in (1, 2)]
        one, other = "172.30.0.21", "172.30.0.22"
        second = msgspec.structs.replace(SPEC, own=other, peer=one, first=False)
        self.specs = [SPEC, second]
        self.failovers = [Keepalived(directory / str(i)) for i in (1, 2)]
        self.shared = [Conntrackd(directory / str(i)) for i in (1, 2)]

    def ensure(self, number: int, **changes: object) -> None:
        self.specs[number] = msgspec.structs.replace(self.specs[number], **changes)
        self.failovers[number].ensure(self.places[number], self.specs[number])

    def holders(self) -> list[int]:
        return [n for n in (0, 1) if self.failovers[n].holds(self.places[n])]

    def wait(self, *holders: int) -> None:
        until(lambda: self.holders() == list(holders), f"{holders} have the addresses")

    def knows(self, number: int, neighbour: str) -> str:
        """What the kernel thinks of that neighbour on the storage network."""
        found = ip("neigh", "show", "to", neighbour, "dev", "st", netns=self.places[number].netns)
        return found.split()[-1] if found.split() else ""

    def pids(self) -> list[str]:
        return ip("netns", "pids", self.places[0].netns or "").split()

    def broken(self, number: int) -> list[str | None]:
        """What is wrong with its part."""
        return [mark.broken for mark in self.failovers[number].inventory()]

    def daemons(self) -> list[int]:
        """keepalived's two processes and conntrackd of the first."""
        shared, here = self.shared[0].conf(self.places[0].id), self.places[0].id
        pair = process.find(["keepalived"], str(shared.parent / f"{here}.conf"))
        return [*pair, *self.sharing()]

    def sharing(self) -> list[int]:
        """conntrackd of the first; not one that keepalived calls to tell it something."""
        conf = str(self.shared[0].conf(self.places[0].id))
        found: list[int] = []
        for pid in process.find(["conntrackd"], conf):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(f"\0{conf}\0".encode()):
                    found.append(pid)
        return found

    def passes(self, number: int) -> list[Connection]:
        """Connections in that gateway's kernel."""
        return netlink.within(self.places[number].netns, lambda _: conntrack.connections())

    def has_heard(self, number: int, of: str) -> bool:
        """Its conntrackd knows such a connection of the other's."""
        argv = ["conntrackd", "-C", str(self.shared[number].conf(self.places[number].id)), "-e"]
        return of in subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def there(self, number: int) -> set[str]:
        netns = self.places[number].netns
        assert netns is not None
        return addresses_in(netns)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    require("conntrackd", "ip", "keepalived", "nft", root=True)
    made = Two(tmp_path)
    with contextlib.ExitStack() as stack:
        for netns in (made.switch, made.filer, *(p.netns for p in made.places)):
            assert netns is not None
            add_netns(netns)
            stack.callback(remove_netns, netns)
        for failover in made.failovers:
            stack.callback(failover.stop_all)
        for leg in ("st", "te"):
            ip("link", "add", leg, "type", "bridge", "forward_delay", "0", netns=made.switch)
            ip("link", "set", leg, "up", netns=made.switch)
        _cable(made, made.filer, "st", "f", "172.30.0.2/24")
        for number, place in enumerate(made.places, 1):
            assert place.netns is not None
            _cable(made, place.netns, "st", str(number), f"172.30.0.2{number}/24")
            _cable(
                made, place.netns, "te", str(number), f"10.0.0.{number}/24", f"fd00::{number}/64"
            )
        yield made


@contextlib.contextmanager
def connected(two: Two) -> Iterator[socket.socket]:
    """A client of the first gateway's."""
    where = two.places[0].netns
    with netlink.within(where, lambda _: socket.create_connection(("10.0.0.50", 2049))) as client:
        yield client


def _cable(two: Two, netns: str, leg: str, end: str, *addresses: str) -> None:
    far = ("peer", "name", leg, "netns", netns)
    ip("link", "add", f"{leg}{end}", "type", "veth", *far, netns=two.switch)
    ip("link", "set", f"{leg}{end}", "master", leg, "up", netns=two.switch)
    ip("link", "set", leg, "up", netns=netns)
    for address in addresses:
        flags = ["nodad"] if ":" in address else []
        ip("address", "add", address, "dev", leg, *flags, netns=netns)


@pytest.mark.real
@pytest.mark.slow
class TestElection:
    def test_addresses_come_go_and_move(self, two: Two) -> None:
        """G-I4, X-4: and nobody but the storage network hears of it."""
        with Capture(two.switch, "te") as segment:
            two.ensure(0)
            two.ensure(1)
            two.wait(0)
            assert {"10.0.0.50", "fd00::50", "172.30.0.50"} <= two.there(0)
            assert "10.0.0.50" not in two.there(1)
            fewer = {"te": ("10.0.0.51/24",), "st": ("172.30.0.50/24",)}
            for number in (0, 1):
                two.ensure(number, addresses=fewer)
            until(lambda: "10.0.0.51" in two.there(0), "the new one is there")
            until(lambda: "10.0.0.50" not in two.there(0), "the old one is not")
            assert two.holders() == [0]
            two.failovers[0].ensure_absent(two.places[0].id)
            until(lambda: two.failovers[1].holds(two.places[1]), "the other has taken over")
            # It came back with what it had when it was killed: that is off at once.
            two.ensure(0)
            two.wait(1)
            assert "10.0.0.51" not in two.there(0)
            two.wait(0)  # and it is the first again
        assert 112 not in {f[23] for f in segment.frames if f[12:14] == b"\x08\x00"}
        # Whoever has the address tells the neighbours.
        told = [
            f
            for f in segment.frames
            if f[12:14] == b"\x08\x06" and f[28:32] == bytes([10, 0, 0, 51])
        ]
        assert len({f[6:12] for f in told}) == 2

    def test_one_that_is_cut_off_gives_the_addresses_up(self, two: Two) -> None:
        """Else two that cannot hear each other would both have them."""
        two.ensure(0)
        two.ensure(1)
        two.wait(0)
        ip("link", "set", "st1", "nomaster", netns=two.switch)
        two.wait(1)
        until(lambda: two.knows(1, "172.30.0.21") == "FAILED", "the first is not heard")
        assert two.holders() == [1]
        ip("link", "set", "st1", "master", "st", netns=two.switch)
        two.wait(0)

    def test_one_that_is_stopped_hands_over_at_once(self, two: Two) -> None:
        """And nothing of it is left."""
        two.ensure(0)
        two.ensure(1)
        two.wait(0)
        two.failovers[0].stop_all()
        two.wait(1)
        assert (two.pids(), list(two.failovers[0].inventory())) == ([], [])
        assert "10.0.0.50" not in two.there(0)

    def test_a_dead_filer_moves_nothing(self, two: Two) -> None:
        """Both would be as badly off."""
        two.ensure(0)
        two.ensure(1)
        two.wait(0)
        ip("link", "set", "stf", "down", netns=two.switch)
        for number in (0, 1):
            until(lambda n=number: two.knows(n, "172.30.0.2") == "FAILED", "it is not heard")
        assert two.holders() == [0]

    def test_who_is_unchanged_is_left_alone(self, two: Two) -> None:
        two.ensure(0)
        (before,) = two.failovers[0].inventory()
        two.wait(0)
        seen: list[list[int]] = []
        # More at times: keepalived starts another to look at its leg.
        until(lambda: len(seen.append(two.daemons()) or seen[-1]) == 3, "its daemons run")
        two.ensure(0)
        assert before.broken is None
        assert two.holders() == [0]
        assert set(seen[-1]) <= set(two.daemons())

    def test_the_other_one_takes_over_connections_as_they_were(self, two: Two) -> None:
        """G-I4: with mark and translation, though neither end sends anything; not before."""
        two.ensure(0)
        two.ensure(1)
        two.wait(0)
        argv = ["nsenter", f"--net=/run/netns/{two.places[0].netns}", "nft", "-f", "-"]
        subprocess.run(argv, input=PASSED, text=True, check=True)
        far = netlink.within(two.filer, lambda _: socket.create_server(("172.30.0.2", 2049)))
        with far, connected(two) as client:
            (before,) = two.passes(0)
            assert (before.mark, before.seen, before.established) == (6, "172.30.0.50", True)
            port = f"sport={client.getsockname()[1]} "
            until(lambda: two.has_heard(1, port), "the other one has heard of it")
            assert two.passes(1) == []
            two.failovers[0].ensure_absent(two.places[0].id)
            until(lambda: two.passes(1) == [before], "its kernel knows the connection")
            assert two.holders()[-1] == 1
            # What it used cannot be thrown away: another conntrackd hears it all anew.
            until(lambda: two.broken(1) == ["it does not run"], "the used one ends")
            two.ensure(1)
            two.ensure(0)
            until(lambda: two.has_heard(0, port), "the first one hears of it when it is back")

    def test_a_killed_conntrackd_is_missed_and_back(self, two: Two) -> None:
        two.ensure(0)
        (pid,) = two.sharing()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not process.is_running(pid), "it is dead")
        assert two.broken(0) == ["it does not run"]
        two.ensure(0)
        assert two.broken(0) == [None]
        two.failovers[0].ensure_absent(two.places[0].id)
        assert (two.pids(), two.sharing()) == ([], [])

    def test_without_conntrackd_it_stands_all_the_same(
        self, two: Two, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Conntrackd, "is_here", lambda _: False)
        two.ensure(0)
        two.wait(0)
        assert two.broken(0) == [None]
        assert two.sharing() == []

    def test_without_its_namespace_it_is_tried_again_later(self, tmp_path: Path) -> None:
        failover = Keepalived(tmp_path)
        with pytest.raises(Transient):
            failover.ensure(Place(id="x", netns="rs-nowhere"), SPEC)
