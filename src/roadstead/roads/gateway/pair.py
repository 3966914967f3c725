"""A gateway and the one that stands by for it on another host: both have the shares' rules, and
one of them, which an election decides, has the shares' addresses on its ports."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from roadstead.drivers.base.network import Network
from roadstead.model.errors import Transient
from roadstead.model.networks import Port, PortRef
from roadstead.model.pairs import PairSpec
from roadstead.model.share_networks import FlowLease, Lease, Subnet
from roadstead.model.world import Place
from roadstead.roads import network as road
from roadstead.roads.networked import Networked

_LEAVE_LIMIT = 5.0  # seconds until an address is off that was given up
_LOOK_EVERY = 0.05
_ELECTION_LIMIT = 6.0  # seconds until a gateway that nobody contests has won


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway of a pair, or a gateway alone: then it has no `peers`."""

    place: Place
    legs: list[Subnet]
    leases: list[Lease]  # its own addresses
    passing: list[FlowLease]  # those that stand for shares
    peers: list[Lease] = []  # the other gateway's own
    filer: tuple[str, ...] = ()  # its addresses
    first: bool = True


def ensure_ports(networked: Networked, side: Side) -> None:
    """The gateway's ports have its own addresses; those that stand for shares are on them where it
    is alone or has won the election, and no others are. The caller holds the server's lock."""
    network, failover = networked.network, networked.failover
    if failover is None or not side.peers:
        if failover is not None:
            failover.ensure_absent(side.place.id)
        road.ensure_ports(network, side.place, side.legs, side.leases, side.passing)
        return
    wanted = _standing(side)
    before = {le.id: set(_there(network, le)) - {le.interface} for le in side.leases}
    # What it may speak as is widened first and narrowed last: somebody else moves the addresses.
    both = {i: sorted({*wanted[i], *before[i]}) for i in wanted}
    ports = road.ensure_ports(network, side.place, side.legs, side.leases, guests=both)
    failover.ensure(side.place, election(side, ports))
    if any(before[i] - wanted[i] for i in wanted):
        _wait_until_off(network, side, wanted)
        road.ensure_ports(network, side.place, side.legs, side.leases, guests=_sorted(wanted))


def ensure_own(networked: Networked, side: Side) -> None:
    """The gateway has its own addresses; of the others at most those that it has anyway."""
    before = {le.id: set(_there(networked.network, le)) - {le.interface} for le in side.leases}
    road.ensure_ports(networked.network, side.place, side.legs, side.leases, guests=_sorted(before))


def ensure_none(networked: Networked, side: Side) -> None:
    """Of the ports that are there none has an address that stands for a share, nor will have."""
    if networked.failover is not None:
        networked.failover.ensure_absent(side.place.id)
    here = [lease for lease in side.leases if _there(networked.network, lease)]
    road.ensure_ports(networked.network, side.place, side.legs, here, guests={})


def stands(networked: Networked, side: Side) -> bool:
    """It stands for election."""
    failover = networked.failover
    marks = () if failover is None else failover.inventory()
    return any(m.id == side.place.id and m.broken is None for m in marks)


def wait_until_elected(networked: Networked, side: Side) -> None:
    """It has the addresses, or it is not to be expected: the other one has them."""
    failover = networked.failover
    if failover is None or not side.peers:
        return
    end = time.monotonic() + _ELECTION_LIMIT
    while not failover.holds(side.place) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY)


def are_right(network: Network, side: Side) -> bool:
    """The ports have the addresses they should have; in a pair they may lack those of shares."""
    wanted = _standing(side)
    for lease in side.leases:
        there = set(_there(network, lease))
        if not there <= {lease.interface, *wanted[lease.id]} or lease.interface not in there:
            return False
        if not side.peers and not wanted[lease.id] <= there:
            return False
    return True


def election(side: Side, ports: Mapping[str, Port]) -> PairSpec:
    """The gateway's part in it. Transient without a leg that both have on the storage network."""
    peers = {peer.subnet_id: peer for peer in side.peers}
    legs = [le for le in side.leases if le.is_storage and le.subnet_id in peers and le.id in ports]
    if not legs:
        raise Transient("the gateway and its standby have no storage network in common")
    leg = min(legs, key=lambda le: (":" in le.address, le.subnet_id))
    wanted = _standing(side)
    addresses: dict[str, tuple[str, ...]] = {}
    for lease in side.leases:
        if lease.id in ports and wanted[lease.id]:
            addresses[ports[lease.id].interface] = tuple(sorted(wanted[lease.id]))
    return PairSpec(
        interface=ports[leg.id].interface,
        own=leg.address,
        peer=peers[leg.subnet_id].address,
        neighbours=tuple(a for a in side.filer if (":" in a) == (":" in leg.address)),
        first=side.first,
        addresses=addresses,
    )


def _standing(side: Side) -> dict[str, set[str]]:
    """The addresses that stand for shares, by the lease whose port they belong to."""
    return {
        lease.id: {p.interface for p in side.passing if p.subnet_id == lease.subnet_id}
        for lease in side.leases
    }


def _there(network: Network, lease: Lease) -> Sequence[str]:
    return network.port_addresses(PortRef(id=lease.id))


def _wait_until_off(network: Network, side: Side, wanted: Mapping[str, set[str]]) -> None:
    """What was given up is off the ports. One that a dead keepalived left there nobody takes off:
    then the time is up."""
    end = time.monotonic() + _LEAVE_LIMIT
    while True:
        over = [
            address
            for lease in side.leases
            for address in _there(network, lease)
            if address not in wanted[lease.id] and address != lease.interface
        ]
        if not over or time.monotonic() > end:
            return
        time.sleep(_LOOK_EVERY)


def _sorted(wanted: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {i: sorted(addresses) for i, addresses in wanted.items()}
