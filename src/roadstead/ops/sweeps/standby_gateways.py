"""Gateways of other hosts' backends for which this host stands by: each has the rules of the one
it stands by for, read from the database, and its part in the election. Everything of a gateway
that has gone goes, too."""

import datetime

from roadstead.drivers.base.failover import Failover
from roadstead.model.ids import place_netns, standby_place
from roadstead.model.networks import PortRef
from roadstead.model.share_networks import FlowLease, Lease, ShareServer
from roadstead.model.states import AccessState, ShareServerStatus
from roadstead.model.verbs import SHARE_COMES_OR_GOES
from roadstead.model.world import ExportSpec, Mark, Place, RuleSpec
from roadstead.ops.ledger import tenant_subnets
from roadstead.ops.sweeps.findings import Findings, guarded
from roadstead.ops.sweeps.looks import Look, Memo
from roadstead.ops.sweeps.strangers import GRACE, Strangers
from roadstead.roads import network as road
from roadstead.roads import serving
from roadstead.roads.addresses import flows_of
from roadstead.roads.gateway import pair
from roadstead.roads.gateway.pair import Side
from roadstead.roads.networked import Networked, Standby
from roadstead.store import access, allocations, flows, ownership, share_servers, shares
from roadstead.store.db import Database, Tx

_WHOLE_EVERY = 30  # looks
_Flows = list[tuple[ExportSpec, list[RuleSpec]]]


class StandbyGatewaySweep:
    """One host's, for all its `[standbys]`."""

    def __init__(
        self,
        db: Database,
        host: str,
        networked: Networked,
        *,
        grace: datetime.timedelta = GRACE,
    ) -> None:
        self._db, self._host, self._networked = db, host, networked
        self._strangers = Strangers(Findings(db, host), grace=grace)
        self._stood_by: set[str] = set()  # places that were wanted since we look
        self._memo: Memo[tuple[Side, _Flows]] = Memo(_WHOLE_EVERY)  # by place

    def run(self) -> int:
        """Every standby gateway is as its active one, or as the database says that should be; how
        many were not, or were left over."""
        failover = self._networked.failover
        if failover is None:
            return 0
        self._memo.begin()
        look = Look(failover.inventory)
        running = look.whole()
        wanted = [(s, *one) for s in self._networked.standbys for one in self._wanted(s)]
        places = {side.place.id for _, _, side, _ in wanted}
        self._stood_by |= places
        found = self._remove(failover, [mark for mark in look.marks if mark.id not in places])
        for standby, server, side, passed in wanted:
            with guarded("standby not ready", server=server.id):
                found += self._ensure(failover, standby, side, passed, running)
        return found

    def places(self, standby: Standby) -> dict[str, Place]:
        """Where its gateways are, by share server."""
        return {server.id: side.place for server, side, _ in self._wanted(standby)}

    # --- what should be -------------------------------------------------------------------------

    def _wanted(self, standby: Standby) -> list[tuple[ShareServer, Side, _Flows]]:
        with self._db.read() as tx:
            servers = {s.id: s for s in share_servers.at(tx, standby.active)}
            own = flows.standbys_for(tx, [standby.active])
            found = [
                self._wanted_for(tx, standby, servers[server_id], own)
                for server_id in sorted({lease.share_server_id for lease in own})
                if server_id in servers and servers[server_id].status != ShareServerStatus.DELETING
            ]
        return found

    def _wanted_for(
        self, tx: Tx, standby: Standby, server: ShareServer, own: list[Lease]
    ) -> tuple[ShareServer, Side, _Flows]:
        mine = [lease for lease in own if lease.share_server_id == server.id]
        passing = flows.of_server(tx, server.id)
        place = place_of(server.id, mine, passing)
        side = Side(
            place=place,
            legs=[*tenant_subnets(tx, server.id), *standby.storage],
            leases=mine,
            passing=passing,
            peers=allocations.of_server(tx, server.id),
            filer=standby.filer,
            first=False,
        )
        return server, side, _flows(tx, place, server.id)

    # --- making it so ---------------------------------------------------------------------------

    def _ensure(
        self,
        failover: Failover,
        standby: Standby,
        side: Side,
        passed: _Flows,
        running: set[str],
    ) -> int:
        network, place = self._networked.network, side.place
        runs = place.id in running
        if runs and self._memo.says(place.id, (side, passed)):
            if not failover.holds(place):
                failover.forget_connections(place)
            return 0
        with self._networked.wire_lock:
            road.ensure_segments(network, side.legs)
        network.ensure_place(place)
        with self._networked.server_lock(place.id):
            # The rules need the leg, and the election comes last.
            pair.ensure_own(self._networked, side)
            standby.export.ensure_flows(place, passed)
            pair.ensure_ports(self._networked, side)
        new = self._memo.keep(place.id, (side, passed))
        return int(new or not runs)

    # --- leftovers --------------------------------------------------------------------------------

    def _remove(self, failover: Failover, marks: list[Mark]) -> int:
        """Of these nothing is left, but for those that are this host's own gateways, or another's.

        At once where the database has the server, or had it a moment ago: it was told to go, and
        could take over addresses that are somebody else's soon. Others after the grace.
        """
        found = 0
        for place_id in sorted(self._going(marks)):
            with guarded("leftover standby stays", place=place_id):
                self._remove_one(failover, place_id)
                found += 1
        return found

    def _going(self, marks: list[Mark]) -> set[str]:
        owners: dict[str, str] = {}
        released: set[str] = set()
        if marks:
            with self._db.read() as tx:
                own = {server.id for server in share_servers.on_host(tx, self._host)}
                marks = [mark for mark in marks if mark.id not in own]
                if marks:
                    owners = ownership.servers(tx, {mark.id for mark in marks})
                    released = self._stood_by | {standby_place(i) for i in share_servers.ids(tx)}
        others = [mark for mark in marks if mark.id not in released]
        going = {mark.id for mark in self._strangers.removable(others, owners)}
        return going | {mark.id for mark in marks if mark.id in released}

    def _remove_one(self, failover: Failover, place_id: str) -> None:
        network = self._networked.network
        place = Place(id=place_id, netns=place_netns(place_id))
        with self._networked.server_lock(place_id):
            marks = [m for m in network.inventory() if m.facts.get("place_id") == place_id]
            for mark in marks:
                network.ensure_port_down(PortRef(id=mark.id))
            for standby in self._networked.standbys:
                standby.export.ensure_server_absent(place)
            for mark in marks:
                network.ensure_port_absent(PortRef(id=mark.id))
            failover.ensure_absent(place_id)  # by its files the rest is found, until here
            network.ensure_place_absent(place)
        self._stood_by.discard(place_id)
        self._leave_wires({str(mark.facts["segment_id"]) for mark in marks})
        self._memo.forget(place_id)

    def _leave_wires(self, wires: set[str]) -> None:
        with self._networked.wire_lock:
            with self._db.read() as tx:
                needed = {lease.wire for lease in allocations.on_host(tx, self._host)}
                needed |= {
                    lease.wire for lease in flows.standbys_for(tx, self._networked.standby_for)
                }
            road.ensure_segments_absent(self._networked.network, sorted(wires - needed))


def place_of(server_id: str, own: list[Lease], passing: list[FlowLease]) -> Place:
    """Where the gateway is that stands by for this share server's."""
    place_id = standby_place(server_id)
    return Place(
        id=place_id,
        netns=place_netns(place_id),
        addresses=tuple(lease.address for lease in own if not lease.is_storage),
        storage=tuple(lease.address for lease in own if lease.is_storage),
        flows=flows_of(passing),
    )


def _flows(tx: Tx, place: Place, server_id: str) -> _Flows:
    """What the active gateway may pass: rules count that are active, for those the filer knows.
    Of a share that comes or goes nothing: where it goes, the active one has cut its clients."""
    rules = access.in_shares_of_server(tx, server_id)
    found: _Flows = []
    for instance in shares.instances_of_server(tx, server_id):
        if instance.id not in place.flows or instance.status in SHARE_COMES_OR_GOES:
            continue
        mine = [
            rule for rule in rules.get(instance.share_id, ()) if rule.state == AccessState.ACTIVE
        ]
        spec = ExportSpec(
            instance_id=instance.id,
            export_id=instance.export_id or 0,
            path="",
            proto=instance.proto,
            place=place,
        )
        found.append((spec, serving.rule_specs(mine)))
    return sorted(found, key=lambda one: one[0].export_id)
