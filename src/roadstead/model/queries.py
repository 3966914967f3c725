"""What a list is asked for: which rows, in what order, and which section of them.

Sort keys are the wire's names; which columns they mean is the store's to know.
"""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

# What each list may be sorted by (wire.md#lists).
SHARE_SORT_KEYS = frozenset(
    (
        "id created_at updated_at project_id user_id name is_public snapshot_id task_state "
        "replication_type size share_proto display_name display_description mount_point_name "
        "share_type_id status host share_network_id share_server_id progress availability_zone_id"
    ).split()
)
MESSAGE_SORT_KEYS = frozenset(
    (
        "id project_id action_id detail_id request_id resource_type resource_id created_at "
        "expires_at message_level"
    ).split()
)
# Of the lists that are always in the order of their making.
PLAIN_SORT_KEYS = frozenset(("created_at",))


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` None = all. The id breaks ties, in the same direction; what has no value for the
    sort key is the smallest."""

    limit: int | None = None
    offset: int = 0
    sort_key: str = "created_at"
    descending: bool = True
    after: str | None = None  # id of the row before the first wanted one (a marker)


class ShareFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a share must be like to be listed; None = does not matter."""

    name: str | None = None
    name_like: str | None = None
    description: str | None = None
    description_like: str | None = None
    status: str | None = None
    share_type_id: str | None = None
    snapshot_id: str | None = None
    share_network_id: str | None = None
    share_server_id: str | None = None
    host: str | None = None  # host, host@backend or host@backend#pool
    project_id: str | None = None
    availability_zone: str | None = None
    mount_point_name: str | None = None
    export_location_id: str | None = None
    export_location_path: str | None = None
    metadata: Mapping[str, str] = {}
    extra_specs: Mapping[str, str] = {}
    with_public: bool = False  # everybody's public shares too
    is_public: bool | None = None


class RuleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an access rule must be like to be listed; None = does not matter."""

    access_type: str | None = None
    access_to: str | None = None
    access_level: str | None = None
    access_key: str | None = None  # for those who can unseal: not looked for in the database
    id: str | None = None
    metadata: Mapping[str, str] = {}


class AttachmentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an attachment must be like to be listed; None = does not matter."""

    share_id: str | None = None
    vm: str | None = None  # id or name
    host: str | None = None
    target_host: str | None = None
    state: str | None = None


class OperationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation must be like to be listed; None = does not matter."""

    share_id: str | None = None
    resource_id: str | None = None
    state: str | None = None
    verb: str | None = None


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a message must be like to be listed; None or empty = does not matter."""

    request_id: str | None = None
    resource_types: Sequence[str] = ()
    resource_id: str | None = None
    action_id: str | None = None
    detail_id: str | None = None
    level: str | None = None
    created_since: datetime.datetime | None = None
    created_before: datetime.datetime | None = None


class SubnetFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What one of a network's subnets must be like; None = does not matter."""

    neutron_net_id: str | None = None
    neutron_subnet_id: str | None = None
    network_type: str | None = None
    segmentation_id: int | None = None
    cidr: str | None = None
    ip_version: int | None = None
    gateway: str | None = None
    mtu: int | None = None


class NetworkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a share network must be like to be listed; None = does not matter."""

    name: str | None = None
    name_like: str | None = None
    description: str | None = None
    description_like: str | None = None
    status: str | None = None
    project_id: str | None = None
    security_service_id: str | None = None
    created_since: datetime.datetime | None = None
    created_before: datetime.datetime | None = None
    subnet: SubnetFilter = SubnetFilter()


class SecurityServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a security service must be like to be listed; None = does not matter."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    user: str | None = None
    server: str | None = None
    dns_ip: str | None = None
    domain: str | None = None
    share_network_id: str | None = None
