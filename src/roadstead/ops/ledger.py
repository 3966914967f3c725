"""The addresses of share servers and of the shares on them, as roads ask for them."""

from collections.abc import Mapping, Sequence

from roadstead.model.share_networks import Subnet
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
            tenant = tenant_subnets(tx, server_id)
            flows.ensure(tx, server_id, instance_id, tenant, storage, sources)
            return addresses(tx, server_id, peers=peers, tenant=tenant)

    def retire(self, server_id: str, instance_id: str, *, peers: bool) -> Addresses:
        with self._db.write() as tx:
            flows.retire(tx, instance_id)
            return addresses(tx, server_id, peers=peers)

    def release(self, instance_id: str) -> None:
        with self._db.write() as tx:
            flows.release(tx, instance_id)


def addresses(
    tx: Tx, server_id: str, *, peers: bool, tenant: list[Subnet] | None = None
) -> Addresses:
    """What the server has; with those of its standby if `peers`. `tenant`: read already."""
    return Addresses(
        server_id=server_id,
        leases=allocations.of_server(tx, server_id),
        passing=flows.of_server(tx, server_id),
        tenant=tenant_subnets(tx, server_id) if tenant is None else tenant,
        peers=flows.standby_of(tx, server_id) if peers else [],
    )


def tenant_subnets(tx: Tx, server_id: str) -> list[Subnet]:
    """Those on which the server has an address, so also one that it is just getting onto."""
    ids = [le.subnet_id for le in allocations.of_server(tx, server_id) if not le.is_storage]
    found = [subnets.find(tx, subnet_id) for subnet_id in ids]
    return [subnet for subnet in found if subnet is not None]
