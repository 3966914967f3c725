"""Bodies of subnets (wire.md#subnets)."""

from collections.abc import Mapping
from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import metadata, values
from roadstead.api.schemas.share_networks import neutron_ids
from roadstead.service.subnets import NewSubnet


def _subnet(fields: Mapping[str, Any], pairs: dict[str, str]) -> NewSubnet:
    return NewSubnet(
        availability_zone=values.text(fields, "availability_zone") or None,
        metadata=pairs,
        **neutron_ids(fields),
    )


def new(call: Call) -> NewSubnet:
    """The subnet to create; metadata counts from 2.78 on. This one key has hyphens."""
    fields = values.wrapped(call.body, "share-network-subnet")
    return _subnet(fields, metadata.optional_pairs(fields) if call.since(78) else {})


def asked(call: Call) -> NewSubnet:
    """The subnet that it is asked about."""
    return _subnet(values.wrapped(call.body, call.action()), {})
