"""A share server's addresses as the database has them, and the place that they make."""

from collections.abc import Sequence

import msgspec

from roadstead.model import ids
from roadstead.model.share_networks import FlowLease, Lease, Subnet
from roadstead.model.world import Flow, Place

_PURPOSES = ("share", "rw", "ro")


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """What one share server has, read at one moment."""

    server_id: str
    leases: list[Lease]  # its own
    passing: list[FlowLease]  # those that stand for its shares, at a gateway
    tenant: list[Subnet]  # on which it is, or is just getting onto
    peers: list[Lease] = []  # the own ones of its standby on another host

    @property
    def place(self) -> Place:
        """Where its exports are."""
        return place_of(self.server_id, self.leases, self.passing)


def place_of(server_id: str, leases: Sequence[Lease], passing: Sequence[FlowLease] = ()) -> Place:
    """Where the share server's exports are; `passing`: what stands for its shares, at a gateway."""
    return Place(
        id=server_id,
        netns=ids.place_netns(server_id),
        addresses=tuple(lease.address for lease in leases if not lease.is_storage),
        storage=tuple(lease.address for lease in leases if lease.is_storage),
        flows=flows_of(passing),
    )


def flows_of(leases: Sequence[FlowLease]) -> dict[str, Flow]:
    """How each share passes, by instance; of shares that have both sides."""
    found: dict[str, Flow] = {}
    by_instance: dict[str, list[FlowLease]] = {}
    for lease in leases:
        by_instance.setdefault(lease.instance_id, []).append(lease)
    for instance_id, mine in by_instance.items():
        sides = {p: tuple(le.address for le in mine if le.purpose == p) for p in _PURPOSES}
        # A filer's fixed rules may admit nobody at one of the levels.
        if sides["share"] and (sides["rw"] or sides["ro"]):
            addresses = sides.pop("share")
            found[instance_id] = Flow(addresses=addresses, sources=sides)
    return found
