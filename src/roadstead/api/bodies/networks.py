"""Share networks, subnets, security services, share servers."""

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from roadstead.api.bodies.base import Body, Pairs, Text, Word, said, since


class NetworkIds(Body, frozen=True):
    neutron_net_id: Annotated[Text | None, said("a segment's name, without Neutron")] = None
    neutron_subnet_id: Annotated[Text | None, said("CIDR[,gateway], without Neutron")] = None


class NetworkChanges(NetworkIds, frozen=True):
    name: Text | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    nova_net_id: Annotated[None, said("not supported")] = None


class NewNetwork(NetworkChanges, frozen=True):
    availability_zone: Annotated[Text | None, since(51, "of its first subnet")] = None


class SubnetWish(NetworkIds, frozen=True):
    availability_zone: Annotated[Text | None, said("none: the default subnet")] = None


class NewSubnet(SubnetWish, frozen=True):
    metadata: Annotated[Pairs | None, since(78)] = None


class SubnetCheck(SubnetWish, frozen=True):
    reset_operation: Annotated[bool | None, said("look anew")] = False


class _SecurityService(Body, frozen=True):
    name: Text | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    dns_ip: Text | UnsetType | None = UNSET
    server: Text | UnsetType | None = UNSET
    domain: Text | UnsetType | None = UNSET
    user: Text | UnsetType | None = UNSET
    password: Text | UnsetType | None = UNSET
    ou: Text | UnsetType | None = UNSET
    default_ad_site: Annotated[Text | None, since(76)] | UnsetType = UNSET


class SecurityServiceChanges(_SecurityService, frozen=True, kw_only=True):
    type: Literal["active_directory", "ldap", "kerberos"] | UnsetType | None = UNSET


class NewSecurityService(_SecurityService, frozen=True, kw_only=True):
    type: Literal["active_directory", "ldap", "kerberos"]


class ChosenService(Body, frozen=True):
    security_service_id: Word


class ChosenServiceCheck(ChosenService, frozen=True):
    reset_operation: Annotated[bool | None, said("look anew")] = False


class Replacement(Body, frozen=True):
    current_service_id: Word
    new_service_id: Word


class ReplacementCheck(Replacement, frozen=True):
    reset_operation: Annotated[bool | None, said("look anew")] = False


class ManagedServer(Body, frozen=True):
    host: Word
    share_network_id: Word
    identifier: Word
    driver_options: Pairs | None = None
    share_network_subnet_id: Annotated[Text | None, since(51)] = None


class Unmanage(Body, frozen=True):
    force: bool | None = False
