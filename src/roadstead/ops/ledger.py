"""The addresses of share servers and of the shares on them, as roads ask for them."""

from collections.abc import Mapping, Sequence

from roadstead.model.share_networks import Lease, Subnet
from roadstead.model.world import Place
from roadstead.ops.server_state import check_ready
from roadstead.roads.addresses import Addresses, place_of
from roadstead.store import allocations, flows, subnets
from roadstead.store.db import Database, Tx


class StoreLedger:
    """See `roadstead.roads.base.Ledger`; each call is one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ready(self, server_id: str) -> Place:
        with self._db.read() as tx:
            check_ready(tx, server_id)
            leases = allocations.of_server(tx, server_id)
            return place_of(server_id, leases, flows.of_server(tx, server_id))

    def give(
        self,
        server_id: str,
        instance_id: str,
        storage: Sequence[Subnet],
        sources: Mapping[str, Sequence[str]] | None,
        *,
        peers: bool,
    ) -> Addresses:
        with self._db.write() as tx:
            check_ready(tx, server_id)
            leases = allocations.of_server(tx, server_id)
            tenant = _tenant_subnets(tx, leases)
            flows.ensure(tx, server_id, instance_id, tenant, storage, sources)
            return _addresses(tx, server_id, leases, tenant, peers=peers)

    def retire(self, server_id: str, instance_id: str, *, peers: bool) -> Addresses:
        with self._db.write() as tx:
            flows.retire(tx, instance_id)
            return addresses(tx, server_id, peers=peers)

    def release(self, instance_id: str) -> None:
        with self._db.write() as tx:
            flows.release(tx, instance_id)


def addresses(tx: Tx, server_id: str, *, peers: bool) -> Addresses:
    """What the server has; with those of its standby if `peers`."""
    leases = allocations.of_server(tx, server_id)
    return _addresses(tx, server_id, leases, _tenant_subnets(tx, leases), peers=peers)


def tenant_subnets(tx: Tx, server_id: str) -> list[Subnet]:
    """Those on which the server has an address, so also one that it is just getting onto."""
    return _tenant_subnets(tx, allocations.of_server(tx, server_id))


def _addresses(
    tx: Tx, server_id: str, leases: list[Lease], tenant: list[Subnet], *, peers: bool
) -> Addresses:
    return Addresses(
        server_id=server_id,
        leases=leases,
        passing=flows.of_server(tx, server_id),
        tenant=tenant,
        peers=flows.standby_of(tx, server_id) if peers else [],
    )


def _tenant_subnets(tx: Tx, leases: Sequence[Lease]) -> list[Subnet]:
    found = [subnets.find(tx, lease.subnet_id) for lease in leases if not lease.is_storage]
    return [subnet for subnet in found if subnet is not None]
