"""A gateway and the one that stands by for it: what either has after each change, in memory, on
both databases (G-I2, G-I4, X-4)."""

from __future__ import annotations

import contextlib
import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from roadstead.drivers.network.memory import MemoryNetwork
from roadstead.model.errors import DriverError
from roadstead.model.networks import PortRef
from roadstead.model.share_networks import GatewayReport
from roadstead.ops.sweeps.active_gateways import ActiveGatewaySweep
from roadstead.ops.sweeps.networks import NetworkSweep
from roadstead.ops.sweeps.standby_gateways import StandbyGatewaySweep
from roadstead.roads.networked import Networked, Standby
from roadstead.service import access
from roadstead.store import access as rules
from roadstead.store import flows, gateway_reports, share_servers
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone
from tests.factories import HOST, make_caller
from tests.unit.ops.memory_pair import MemoryFailover, MemoryMirror
from tests.unit.ops.network_world import KEPT, STORAGE, NetworkWorld, make_network_world

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = "node2"


def _servers(nw: NetworkWorld) -> Any:
    """The road's, of which only it knows that there is a standby."""
    return nw.backend.servers


class Pair(msgspec.Struct):
    """The world of the active side, and the standby's parts."""

    nw: NetworkWorld
    first: MemoryFailover
    second: MemoryFailover
    network: MemoryNetwork
    mirror: MemoryMirror
    active: ActiveGatewaySweep
    standby: StandbyGatewaySweep
    sweep: NetworkSweep

    def look(self) -> None:
        """As both agents do every few seconds."""
        self.active.run()
        self.standby.run()

    def on_active(self) -> set[str]:
        """Every address on its ports."""
        return _addresses(self.nw.network)

    def on_standby(self) -> set[str]:
        return _addresses(self.network)

    def passing(self) -> set[str]:
        """Addresses that stand for shares, by the database."""
        with self.nw.world.db.read() as tx:
            return {lease.interface for lease in flows.on_host(tx, HOST)}

    def own(self) -> set[str]:
        """The standby's own, by the database."""
        with self.nw.world.db.read() as tx:
            return {le.interface for le in flows.standbys_for(tx, [f"{HOST}@local"])}

    def clients(self) -> list[dict[str, str]]:
        """Whom the standby admits, by share."""
        return [clients for mine in self.mirror.passed.values() for clients in mine.values()]


def _addresses(network: MemoryNetwork) -> set[str]:
    ports = [m.id for m in network.inventory() if m.kind == "port"]
    return {a for port in ports for a in network.port_addresses(PortRef(id=port))}


@pytest.fixture
def pair(database_url: str) -> Iterator[Pair]:
    nw = make_network_world(database_url, gateway=True)
    _servers(nw).standby = OTHER
    first = nw.networked.failover = MemoryFailover(nw.network, up=True)
    network, mirror = MemoryNetwork(MemoryNetwork.Options()), MemoryMirror()
    second = MemoryFailover(network, up=False)
    there = Networked(network, second)
    there.standbys = (
        Standby(name="local", active=f"{HOST}@local", storage=STORAGE, filer=(), export=mirror),
    )
    db, backends = nw.world.db, nw.world.backends
    yield Pair(
        nw=nw,
        first=first,
        second=second,
        network=network,
        mirror=mirror,
        active=ActiveGatewaySweep(db, HOST, backends, nw.networked, nw.places),
        standby=StandbyGatewaySweep(db, OTHER, there),
        sweep=NetworkSweep(
            db, OTHER, {}, there, lambda _: None, unused=KEPT, grace=datetime.timedelta(0)
        ),
    )
    nw.world.close()


@pytest.fixture
def share(pair: Pair):
    caller = make_caller()
    return caller, pair.nw.add_share(caller, pair.nw.add_network(caller))


def allow(pair: Pair, share, to: str = "10.0.0.50"):
    caller, made = share
    new = access.NewRule(access_type="ip", access_to=to, access_level="rw")
    rule = access.allow(pair.nw.world.service, caller, made.id, new)
    pair.nw.settle()
    return rule


def set_state(pair: Pair, rule, state: str) -> None:
    with pair.nw.world.db.write() as tx:
        rules.update_by_id(tx, rule.id, state=state)


def test_both_have_ports_and_one_has_the_addresses_of_shares(pair: Pair, share) -> None:
    pair.look()
    assert pair.passing() < pair.on_active()
    assert pair.on_standby() == pair.own()
    assert not pair.own() & pair.on_active()
    (one,), (other,) = pair.first.parts.values(), pair.second.parts.values()
    assert (one.first, other.first) == (True, False)
    assert (one.own, one.peer) == (other.peer, other.own)
    named = [sorted(a for mine in p.addresses.values() for a in mine) for p in (one, other)]
    assert named[0] == named[1] == sorted(pair.passing())


def test_the_standby_admits_whom_the_active_gateway_admits(pair: Pair, share) -> None:
    rule = allow(pair, share)
    pair.look()
    assert pair.clients() == [{"10.0.0.50": "rw"}]
    for state in ("queued_to_deny", "queued_to_apply", "error"):
        set_state(pair, rule, state)
        pair.look()
        assert pair.clients() == [{}]


def test_one_that_waits_forgets_connections_and_one_that_serves_does_not(pair: Pair, share) -> None:
    pair.look()
    pair.look()
    assert set(pair.second.forgotten) == set(pair.mirror.passed)
    assert pair.first.forgotten == []


def test_what_is_as_it_should_be_is_no_difference(pair: Pair, share) -> None:
    """Nor is it when all is compared anew, as every 30th time."""
    assert (pair.active.run(), pair.standby.run()) == (1, 1)
    for _ in range(31):
        assert (pair.active.run(), pair.standby.run()) == (0, 0)
    pair.second.parts.clear()
    assert (pair.active.run(), pair.standby.run()) == (0, 1)


@pytest.mark.parametrize("side", ["first", "second"])
def test_one_that_cannot_be_made_keeps_no_other_from_it(pair: Pair, monkeypatch, side) -> None:
    """X-11"""
    caller = make_caller()
    for _ in range(2):
        pair.nw.add_share(caller, pair.nw.add_network(caller))
    failover: MemoryFailover = getattr(pair, side)
    failover.parts.clear()
    bad, ensure = iter([True]), failover.ensure

    def first_fails(place, spec) -> None:
        if next(bad, False):
            raise ValueError("a fault")
        ensure(place, spec)

    monkeypatch.setattr(failover, "ensure", first_fails)
    pair.look()
    assert len(failover.parts) == 1


def test_a_share_that_goes_takes_its_addresses_along(pair: Pair, share) -> None:
    """X-4: off the active one before they are free, off the other at its next look."""
    caller, made = share
    pair.look()
    gone = pair.passing()
    pair.nw.delete_share(caller, made)
    assert not gone & pair.on_active()
    pair.look()
    assert [spec.addresses for spec in pair.second.parts.values()] == [{}]
    assert pair.clients() == []


def test_nothing_of_a_server_that_goes_is_left(pair: Pair, share) -> None:
    caller, made = share
    pair.look()
    pair.nw.delete_share(caller, made)
    (server,) = pair.nw.servers()
    pair.nw.age(server, KEPT)
    pair.nw.look()
    pair.look()
    assert list(pair.network.inventory()) == []
    assert (pair.first.parts, pair.second.parts, pair.mirror.passed) == ({}, {}, {})


def test_the_sweep_of_its_host_leaves_a_standby_alone(pair: Pair, share) -> None:
    pair.look()
    before = {(m.kind, m.id) for m in pair.network.inventory()}
    assert pair.sweep.run() == 0
    assert {(m.kind, m.id) for m in pair.network.inventory()} == before


def test_what_a_killed_standby_left_goes(pair: Pair, share) -> None:
    """It died after its election's files were gone, and the share server went meanwhile."""
    pair.look()
    pair.second.parts.clear()
    (server,) = pair.nw.servers()
    with pair.nw.world.db.write() as tx:
        share_servers.delete(tx, server)
    pair.sweep.run()
    assert list(pair.network.inventory()) == []
    assert pair.mirror.passed == {}


def test_a_lost_port_of_the_standby_is_made_again(pair: Pair, share) -> None:
    pair.look()
    for mark in list(pair.network.inventory()):
        if mark.kind == "port":
            pair.network.ensure_port_absent(PortRef(id=mark.id))
    for _ in range(30):
        pair.look()
    assert pair.on_standby() == pair.own()


def test_a_standby_that_is_wanted_no_more_goes_and_the_other_serves_alone(
    pair: Pair, share
) -> None:
    pair.look()
    _servers(pair.nw).standby = ""
    pair.look()
    assert pair.own() == set()
    assert (pair.first.parts, pair.second.parts) == ({}, {})
    assert pair.passing() < pair.on_active()
    assert list(pair.network.inventory()) == []


def test_a_gateway_gets_a_standby_later(pair: Pair) -> None:
    caller = make_caller()
    _servers(pair.nw).standby = ""
    pair.nw.add_share(caller, pair.nw.add_network(caller))
    pair.look()
    assert (pair.own(), pair.first.parts, pair.second.parts) == (set(), {}, {})
    _servers(pair.nw).standby = OTHER
    pair.look()
    assert len(pair.own()) == 2
    assert len(pair.first.parts) == len(pair.second.parts) == 1
    assert pair.passing() < pair.on_active()


def test_nobody_is_told_to_stand_by_for_one_that_cannot_be_elected(pair: Pair) -> None:
    """Else both would have the addresses."""
    _servers(pair.nw).standby = ""
    caller = make_caller()
    pair.nw.add_share(caller, pair.nw.add_network(caller))
    pair.first.missing = "keepalived is not installed"
    _servers(pair.nw).standby = OTHER
    with contextlib.suppress(DriverError):
        pair.look()
    assert (pair.own(), pair.second.parts) == (set(), {})


def test_the_last_to_serve_is_the_active_one(pair: Pair, share) -> None:
    """G-M2: a host that died cannot tell that it serves no more."""
    (server,) = pair.nw.servers()
    for host, role in ((HOST, "active"), (OTHER, "standby"), (OTHER, "active")):
        report(pair, server.id, host, role)
    assert roles(pair) == {HOST: "standby", OTHER: "active"}
    report(pair, server.id, HOST, "active")
    assert roles(pair) == {HOST: "active", OTHER: "standby"}


def test_after_a_reboot_it_stands_for_election_only_with_its_rules(pair: Pair, share) -> None:
    """The sweep of networks makes its ports; only the look after it goes further."""
    pair.look()
    pair.first.parts.clear()
    for mark in list(pair.nw.network.inventory()):
        if mark.kind == "port":
            pair.nw.lose_port(mark.id)
    pair.nw.look()
    assert pair.first.parts == {}
    assert not pair.passing() & pair.on_active()
    pair.look()
    assert pair.passing() < pair.on_active()


def report(pair: Pair, server_id: str, host: str, role: str) -> None:
    with pair.nw.world.db.write() as tx:
        gateway_reports.put(
            tx,
            GatewayReport(
                share_server_id=server_id,
                host=host,
                role=role,
                health="ok",
                reported_at=utcnow(),
            ),
        )


def roles(pair: Pair) -> dict[str, str]:
    with pair.nw.world.db.read() as tx:
        found = gateway_reports.find_all(tx, everyone())
    return {shown.report.host: shown.report.role for shown in found}
