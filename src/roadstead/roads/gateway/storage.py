"""The storage network: a gateway's other leg."""

import datetime
from collections.abc import Sequence

from roadstead.config.sections import StorageConfig
from roadstead.model.network_pools import parse_addressing
from roadstead.model.share_networks import STORAGE, Subnet

_NEVER = datetime.datetime(1970, 1, 1)


def storage_of(section: StorageConfig) -> tuple[Subnet, ...]:
    """The storage network's subnets."""
    return storage_subnets(
        section.subnets,
        kind=section.type,
        physical_network=section.physical_network,
        number=section.id or None,
        mtu=section.mtu or None,
    )


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
                created_at=_NEVER,
            )
        )
    return tuple(found)
