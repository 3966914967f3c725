"""What passes a gateway, and what does not: real clients, a real filer, two networks."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, cast

import pytest

from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, ref, rule
from roadstead.drivers.host import conntrack
from roadstead.drivers.host.netlink import within
from roadstead.model import world as w
from roadstead.model.errors import Transient
from roadstead.model.ids import pseudo_path
from tests.conformance.gateway_bench import FILER, FILER6, OWN, OWN6, Failing, GatewayLab
from tests.lab.frames import Capture
from tests.lab.netns import in_thread
from tests.lab.nfs4 import NfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.drivers.base.filer import FilerControl
    from tests.conformance.gateway_bench import GatewayBench

pytestmark = [pytest.mark.isolation, pytest.mark.real]
HERE = 912  # a port, as the kernel's NFS client takes one and keeps it


#
@pytest.mark.parametrize("address", [NEAR, SIX, FAR])
def test_a_stranger_is_told_at_once(lab: GatewayLab, bench: GatewayBench, address: str) -> None:
    spec = bench.exported(rule(SIBLING))
    with pytest.raises(ConnectionRefusedError):
        lab.client(spec, address)


#
def test_one_shares_client_cannot_reach_another_share(lab: GatewayLab, bench: GatewayBench) -> None:
    mine, other = bench.exported(rule(NEAR)), bench.exported(rule(SIBLING))
    with lab.client(other, SIBLING) as neighbour:
        handle = neighbour.lookup(f"{pseudo_path(other.instance_id)}/file")
    with lab.client(mine) as client:
        with pytest.raises(NfsError, match="NOENT"):
            client.lookup(pseudo_path(other.instance_id))
        with pytest.raises(NfsError):
            client.read(handle, 0, 10)
        assert client.lookup(pseudo_path(mine.instance_id))
    with pytest.raises(ConnectionRefusedError):
        lab.client(other, NEAR)


# G-I1
def test_nothing_of_a_tenant_reaches_the_storage_network(
    lab: GatewayLab, bench: GatewayBench
) -> None:
    spec = bench.exported(rule("0.0.0.0/0"), rule("::/0"))
    flow = bench.place.flows[spec.instance_id]
    inside = [FILER, FILER6, OWN, OWN6, *flow.sources["rw"], *flow.sources["ro"]]
    word = b"from a tenant, to nobody"
    with Capture(lab.filer_ns, "eth0") as capture:
        for target in inside:
            assert not reached(lab, target)
            family = socket.AF_INET6 if ":" in target else socket.AF_INET
            with udp_socket(lab, family) as sender, contextlib.suppress(OSError):
                sender.sendto(word, (target, 2049))
        # Not to the share's own address either, but by NFS.
        with udp_socket(lab, socket.AF_INET) as sender:
            sender.sendto(word, (flow.addresses[0], 2049))
        with lab.hold(spec, HERE) as held:
            held.call()
        capture.wait_for(socket.inet_aton(flow.sources["rw"][0]))
    ours = [socket.inet_aton(a) for a in (NEAR, SIBLING)] + [socket.inet_pton(10, SIX)]
    assert not [f for f in capture.frames if word in f or any(a in f for a in ours)]


def reached(lab: GatewayLab, target: str) -> bool:
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with in_thread(lab.clients, lambda: socket.socket(family, socket.SOCK_STREAM)) as tried:
        tried.settimeout(0.3)
        try:
            tried.connect((target, 2049))
        except OSError:
            return False
    return True


def udp_socket(lab: GatewayLab, family: socket.AddressFamily) -> socket.socket:
    return in_thread(lab.clients, lambda: socket.socket(family, socket.SOCK_DGRAM))


# D-I5
@pytest.mark.parametrize("address", [NEAR, SIX])
def test_who_is_revoked_is_cut_and_may_come_back_from_the_same_port(
    lab: GatewayLab, bench: GatewayBench, address: str
) -> None:
    spec = bench.exported(rule(address), rule(SIBLING))
    flow = bench.place.flows[spec.instance_id]
    seen = flow.sources["rw"][1 if ":" in address else 0]
    with lab.hold(spec, HERE, address) as held, lab.hold(spec, HERE, SIBLING) as other:
        held.call()
        other.call()
        assert bench.driver.sessions(ref(spec)) == [
            w.Session(client=a) for a in sorted([address, SIBLING])
        ]
        (mine,) = [c for c in lab.connections() if c.client == address]
        assert (mine.seen, mine.seen_port) in lab.seen_by_filer()
        bench.allow(spec, [rule(SIBLING)])
        # It said nothing, and is told all the same; so is the filer.
        with pytest.raises(ConnectionResetError):
            held.socket.recv(1)
        lab.wait_until_forgotten((mine.seen, mine.seen_port))
        assert mine.seen == seen
        other.call()
        assert bench.driver.sessions(ref(spec)) == [w.Session(client=SIBLING)]
    with pytest.raises(ConnectionRefusedError):
        lab.hold(spec, HERE, address)
    bench.allow(spec, [rule(address), rule(SIBLING)])
    with lab.hold(spec, HERE, address) as again:
        again.call()


def test_a_session_ends_when_its_client_may_only_read(lab: GatewayLab, bench: GatewayBench) -> None:
    spec = bench.exported(rule(NEAR))
    with lab.client(spec) as client:
        share = client.lookup(pseudo_path(spec.instance_id))
        file = client.open(share, "file", write=True)
        client.write(file, 0, b"hello\n")
        bench.allow(spec, [rule(NEAR, "ro")])
        with pytest.raises(ConnectionResetError):
            client.write(file, 0, b"no\n")
    assert bench.level_of(NEAR, spec) == "ro"
    with lab.hold(spec, HERE) as held:
        held.call()
        bench.allow(spec, [])
        with pytest.raises(ConnectionResetError):
            held.socket.recv(1)
    assert bench.level_of(NEAR, spec) is None
    bench.allow(spec, [rule(NEAR)])
    with lab.hold(spec, HERE) as held:
        held.call()
    assert bench.level_of(NEAR, spec) == "rw"


# G-I4
@pytest.mark.parametrize("address", [NEAR, SIX, FAR])
def test_a_connection_is_taken_over_by_a_gateway_that_did_not_see_it_begin(
    lab: GatewayLab, bench: GatewayBench, address: str
) -> None:
    spec = bench.exported(rule(address))
    with lab.hold(spec, HERE, address) as held:
        held.call()
        within(lab.gateway, lambda _: conntrack.forget(conntrack.connections()))
        assert bench.driver.sessions(ref(spec)) == []
        held.call()
        assert bench.driver.sessions(ref(spec)) == [w.Session(client=address)]


def test_clients_go_on_after_the_filer_restarted(lab: GatewayLab, bench: GatewayBench) -> None:
    spec = bench.exported(rule(NEAR))
    with lab.hold(spec, HERE) as held:
        held.call()
        lab.filer.restart()
        with pytest.raises(ConnectionResetError):
            held.call()
    with lab.hold(spec, HERE) as held:
        held.call()
    assert bench.level_of(NEAR, spec) == "rw"
    assert bench.found()[spec.instance_id].broken is None


# G-I2
class TestAFilerThatDoesNotAnswer:
    @pytest.fixture
    def control(self, lab: GatewayLab) -> Failing:
        return Failing(lab.control())

    @pytest.fixture
    def bench(self, lab: GatewayLab, control: Failing) -> Iterator[GatewayBench]:
        with lab.bench(cast("FilerControl", control)) as bench:
            yield bench
            control.down = False

    def test_who_goes_is_cut_at_once(
        self, lab: GatewayLab, bench: GatewayBench, control: Failing
    ) -> None:
        spec = bench.exported(rule(NEAR), rule(SIBLING, "ro"))
        with lab.hold(spec, HERE) as held:
            held.call()
            control.down = True
            with pytest.raises(Transient):
                bench.allow(spec, [rule(SIBLING, "ro")])
            with pytest.raises(ConnectionResetError):
                held.socket.recv(1)
        assert [bench.level_of(a, spec) for a in (NEAR, SIBLING)] == [None, "ro"]
        # Nothing is said of the filer; what is in force here is.
        assert bench.found()[spec.instance_id].facts["clients"] == {f"{SIBLING}/32": "ro"}
        control.down = False
        assert bench.allow(spec, [rule(SIBLING, "ro")]) == [None]
        flow = bench.place.flows[spec.instance_id]
        assert lab.filer.clients()[pseudo_path(spec.instance_id)] == dict.fromkeys(
            flow.sources["ro"][:1], "ro"
        )

    def test_who_comes_waits(self, bench: GatewayBench, control: Failing) -> None:
        spec = bench.exported(rule("10.9.0.0/24", "rw"))
        control.down = True
        # That its level is not there yet must not leave it the wider rule's.
        with pytest.raises(Transient):
            bench.allow(spec, [rule("10.9.0.0/24", "rw"), rule(NEAR, "ro")])
        assert [bench.level_of(a, spec) for a in (NEAR, SIBLING)] == [None, "rw"]
        control.down = False
        bench.allow(spec, [rule("10.9.0.0/24", "rw"), rule(NEAR, "ro")])
        assert [bench.level_of(a, spec) for a in (NEAR, SIBLING)] == ["ro", "rw"]

    def test_what_is_to_go_stays_known(self, bench: GatewayBench, control: Failing) -> None:
        spec = bench.exported(rule(NEAR))
        control.down = True
        with pytest.raises(Transient):
            bench.driver.ensure_export_absent(ref(spec))
        assert bench.level_of(NEAR, spec) is None
        assert bench.found()[spec.instance_id].broken == "its removal is not finished"
        control.down = False
        bench.driver.ensure_export_absent(ref(spec))
        assert bench.found() == {}


def test_a_share_without_addresses_waits(bench: GatewayBench) -> None:
    spec = bench.spec(place=w.Place(id=bench.place.id, netns=bench.place.netns))
    with pytest.raises(Transient, match="no address"):
        bench.driver.ensure_export(spec)
