"""Bodies of subnets (wire.md#subnets)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.model.share_networks import ShareNetwork, Subnet

# What a network showed of its default subnet, and since when.
FLAT: dict[str, int] = {
    **dict.fromkeys("neutron_net_id neutron_subnet_id network_type segmentation_id".split(), 0),
    **dict.fromkeys(("cidr", "ip_version"), 0),
    "gateway": 18,
    "mtu": 20,
}


def subnet(call: Call, found: Subnet) -> dict[str, Any]:
    """A subnet within its network. The segment is the operator's business."""
    admin = call.caller.is_admin
    body: dict[str, Any] = {
        "id": found.id,
        "availability_zone": found.availability_zone,
        "created_at": when(found.created_at),
        "updated_at": when(found.updated_at),
        "segmentation_id": found.segmentation_id if admin else None,
        "neutron_net_id": found.neutron_net_id,
        "neutron_subnet_id": found.neutron_subnet_id,
        "ip_version": found.ip_version,
        "cidr": found.cidr,
        "network_type": found.network_type if admin else None,
        "mtu": found.mtu,
        "gateway": found.gateway,
    }
    if call.since(78):
        body["metadata"] = found.metadata
    return body


def alone(call: Call, network: ShareNetwork, found: Subnet) -> dict[str, Any]:
    """A subnet by itself, which says where it belongs."""
    body = subnet(call, found)
    return {**body, "share_network_id": network.id, "share_network_name": network.name}
