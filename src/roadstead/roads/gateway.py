"""Road gateway: a filer that knows no logical networks serves many tenants, each through a share
server of its own that passes on what access rules admit, and nothing else.

Such a server has one more leg, on the storage network. A share has an address of its own on the
tenant's side, and on the storage side one per access level: the filer's rules name only those.
"""

from collections.abc import Mapping, Sequence

from roadstead.model.errors import Transient
from roadstead.model.network_pools import parse_addressing
from roadstead.model.share_networks import STORAGE, FlowLease, Subnet
from roadstead.model.world import Flow
from roadstead.store.db import utcnow


def storage_subnets(
    texts: Sequence[str],
    *,
    kind: str,
    physical_network: str = "",
    number: int | None = None,
    mtu: int | None = None,
) -> tuple[Subnet, ...]:
    """The storage network's subnets, as the configuration writes them; they have no rows."""
    found: list[Subnet] = []
    for index, text in enumerate(texts):
        addressing = parse_addressing(text)
        found.append(
            Subnet(
                id=f"{STORAGE}{index}",
                share_network_id="",
                network_type=kind,
                physical_network=physical_network,
                segmentation_id=number,
                cidr=addressing.cidr,
                ip_version=addressing.ip_version,
                mtu=mtu,
                first_address=addressing.first_address,
                last_address=addressing.last_address,
                created_at=utcnow(),
            )
        )
    return tuple(found)


def flows(leases: Sequence[FlowLease]) -> dict[str, Flow]:
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


def flow_of(flows: Mapping[str, Flow], instance_id: str) -> Flow:
    """Transient while the share has no addresses at the gateway."""
    found = flows.get(instance_id)
    if found is None:
        raise Transient(f"share instance {instance_id} has no addresses at its gateway yet")
    return found


_PURPOSES = ("share", "rw", "ro")
