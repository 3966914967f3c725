"""Share types, quotas, services."""

from typing import Annotated, Any

from msgspec import UNSET, UnsetType, field

from roadstead.api.bodies.base import Body, Text, Word, said, since


class TypeChanges(Body, frozen=True):
    """At least one of them."""

    name: Word | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    is_public: bool | UnsetType = field(default=UNSET, name="share_type_access:is_public")


class NewType(Body, frozen=True):
    name: Word
    extra_specs: Annotated[dict[str, Any], said("driver_handles_share_servers must be there")]
    description: Annotated[Text | None, since(41)] = None
    is_public: bool = field(default=True, name="share_type_access:is_public")


class ProjectAccess(Body, frozen=True):
    project: Annotated[str, said("id", min_length=1, max_length=64)]


class ExtraSpecs(Body, frozen=True):
    extra_specs: dict[str, Any]


class DefaultQuotas(Body, frozen=True):
    """Limits; -1 is none. At least one of them."""

    shares: int | UnsetType = UNSET
    gigabytes: int | UnsetType = UNSET
    snapshots: int | UnsetType = UNSET
    snapshot_gigabytes: int | UnsetType = UNSET
    share_networks: int | UnsetType = UNSET
    share_groups: Annotated[int, since(40)] | UnsetType = UNSET
    share_group_snapshots: Annotated[int, since(40)] | UnsetType = UNSET
    share_replicas: Annotated[int, since(53)] | UnsetType = UNSET
    replica_gigabytes: Annotated[int, since(53)] | UnsetType = UNSET
    per_share_gigabytes: Annotated[int, since(62)] | UnsetType = UNSET
    backups: Annotated[int, since(80)] | UnsetType = UNSET
    backup_gigabytes: Annotated[int, since(80)] | UnsetType = UNSET
    encryption_keys: Annotated[int, since(90)] | UnsetType = UNSET


class Quotas(DefaultQuotas, frozen=True):
    force: Annotated[bool, said("also below what is in use")] = False


class Switch(Body, frozen=True):
    host: Word
    binary: Word
    disabled_reason: Annotated[Word | None, since(83)] = None


class Backend(Body, frozen=True):
    host: Annotated[Word, said("host@backend")]
