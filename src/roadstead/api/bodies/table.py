"""Which body goes with which handler of the route table."""

from typing import Any

import msgspec

from roadstead.api.bodies import administration as adm
from roadstead.api.bodies import base, networks
from roadstead.api.bodies import shares as s
from roadstead.api.handlers import (
    access,
    attachments,
    extra_specs,
    metadata,
    quota_classes,
    quotas,
    security_services,
    services,
    share_instances,
    share_networks,
    share_servers,
    shares,
    subnets,
    type_access,
    types,
)
from roadstead.api.route import Handler


class Shape(msgspec.Struct, frozen=True):
    """`kind` under `key`; without a key, and without an action in the route, it is the body."""

    kind: Any
    key: str = ""


_METADATA = [
    (handler, Shape(base.Metadata))
    for resource in (metadata.SHARES, metadata.EXPORT_LOCATIONS, metadata.SUBNETS)
    for handler in (resource.merge, resource.replace, resource.set_one)
]
BODIES: dict[Handler, Shape] = {
    shares.create: Shape(s.NewShare, "share"),
    shares.update: Shape(s.ShareChanges, "share"),
    shares.extend: Shape(s.Extend),
    shares.shrink: Shape(s.NewSize),
    shares.reset_status: Shape(base.Status),
    shares.force_delete: Shape(base.Nothing),
    shares.reset_task_state: Shape(base.NoTaskState),
    access.allow: Shape(s.NewRule),
    access.deny: Shape(s.Denial),
    access.list_of_share: Shape(base.Nothing),
    access.update: Shape(s.NewLevel, "update_access"),
    access.merge_metadata: Shape(base.Metadata),
    share_instances.reset_status: Shape(base.Status),
    share_instances.force_delete: Shape(base.Nothing),
    share_networks.create: Shape(networks.NewNetwork, "share_network"),
    share_networks.update: Shape(networks.NetworkChanges, "share_network"),
    share_networks.add_security_service: Shape(networks.ChosenService),
    share_networks.remove_security_service: Shape(networks.ChosenService),
    share_networks.update_security_service: Shape(networks.Replacement),
    share_networks.check_addition: Shape(networks.ChosenServiceCheck),
    share_networks.check_replacement: Shape(networks.ReplacementCheck),
    share_networks.check_subnet: Shape(networks.SubnetCheck),
    share_networks.reset_status: Shape(base.Status),
    subnets.create: Shape(networks.NewSubnet, "share-network-subnet"),
    security_services.create: Shape(networks.NewSecurityService, "security_service"),
    security_services.update: Shape(networks.SecurityServiceChanges, "security_service"),
    share_servers.manage: Shape(networks.ManagedServer, "share_server"),
    share_servers.reset_status: Shape(base.Status),
    share_servers.unmanage: Shape(networks.Unmanage),
    share_servers.reset_task_state: Shape(base.NoTaskState),
    types.create: Shape(adm.NewType, "share_type"),
    types.update: Shape(adm.TypeChanges, "share_type"),
    type_access.add: Shape(adm.ProjectAccess),
    type_access.remove: Shape(adm.ProjectAccess),
    extra_specs.create: Shape(adm.ExtraSpecs),
    extra_specs.update: Shape(dict[str, Any]),
    quotas.update: Shape(adm.Quotas, "quota_set"),
    quota_classes.update: Shape(adm.DefaultQuotas, "quota_class_set"),
    services.switch: Shape(adm.Switch),
    services.ensure_shares: Shape(adm.Backend, "ensure_shares"),
    access.admit_user: Shape(s.NewUser, "user"),
    attachments.create: Shape(s.NewAttachment, "attachment"),
    attachments.migrate: Shape(s.Migration, "migration"),
    **dict(_METADATA),
}
