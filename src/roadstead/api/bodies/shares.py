"""Shares, access rules."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from roadstead.api.bodies.base import Body, Gib, Id, Level, Pairs, Reason, Text, Word, said, since

Tag = Annotated[str, Meta(max_length=36)]


class SchedulerHints(Body, frozen=True):
    same_host: Annotated[str | None, said("ids of shares, with commas")] = None
    different_host: Annotated[str | None, said("ids of shares, with commas")] = None
    only_host: Text | None = None


class NewShare(Body, frozen=True):
    share_proto: Annotated[Word, said("NFS or CIFS", examples=["NFS"])]
    size: Gib
    name: Text | None = None
    description: Text | None = None
    display_name: Annotated[Text | None, said("the same as name")] = None
    display_description: Annotated[Text | None, said("the same as description")] = None
    share_type: Annotated[Text | None, said("name or id")] = None
    volume_type: Annotated[Text | None, said("the same as share_type")] = None
    share_network_id: Text | None = None
    snapshot_id: Text | None = None
    availability_zone: Text | None = None
    metadata: Pairs | None = None
    is_public: bool | None = False
    scheduler_hints: Annotated[SchedulerHints | None, since(65)] = None
    mount_point_name: Annotated[Text | None, since(84)] = None


class ShareChanges(Body, frozen=True):
    display_name: Text | UnsetType | None = UNSET
    display_description: Text | UnsetType | None = UNSET
    is_public: bool | UnsetType = UNSET


class NewSize(Body, frozen=True):
    new_size: Gib


class Extend(NewSize, frozen=True):
    force: Annotated[bool | None, since(64, "beyond the quota")] = False


class NewRule(Body, frozen=True):
    access_type: Annotated[Literal["ip", "user", "cert", "cephx"], said("cephx from 2.13 on")]
    access_to: Annotated[Word, said("an address or a network, or a name", examples=["10.0.0.5"])]
    access_level: Level | None = "rw"
    metadata: Annotated[Pairs | None, since(45)] = None
    lock_visibility: Annotated[bool, since(82)] = False
    lock_deletion: Annotated[bool, since(82)] = False
    lock_reason: Annotated[Reason | None, since(82)] = None


class Denial(Body, frozen=True):
    access_id: Word
    unrestrict: Annotated[bool | None, since(82, "lift its locks")] = False


class NewLevel(Body, frozen=True):
    access_level: Level


class NewUser(Body, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, said("of a user or group", min_length=4, max_length=255)]
    password: Annotated[str, said("printable", min_length=8, max_length=127)]
    access_level: Level | None = "rw"


class NewAttachment(Body, frozen=True, forbid_unknown_fields=True):
    share_id: Id
    vm: Annotated[Word, said("id or name")]
    access_level: Level | None = "rw"
    tag: Annotated[Tag | None, said("what the guest mounts")] = None
    driver: Literal["auto", "virtiofs", "9p"] | None = "auto"
    cache: Literal["never", "auto", "metadata"] | None = "never"
    cold: Annotated[bool, said("with the VM's next start")] = False


class Migration(Body, frozen=True, forbid_unknown_fields=True):
    host: Word
