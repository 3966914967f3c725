"""Microversions 2.0 to 2.99: what a request asks for, and what each one changed.

Every microversion is 2.N, so the code carries only N ("minor").
"""

import re

import msgspec

MIN, MAX = 0, 99
HEADER = "X-OpenStack-Manila-API-Version"
EXPERIMENTAL_HEADER = "X-OpenStack-Manila-API-Experimental"
# The same in the form that the API guidelines of OpenStack prescribe for every service.
COMMON_HEADER = "OpenStack-API-Version"
_SERVICE_TYPES = ("shared-file-system", "sharev2")
GRAMMAR = re.compile(r"([1-9][0-9]*)\.([1-9][0-9]*|0)")
_TRUE = frozenset("1 t true on y yes".split())

# What our routes, schemas and views look at. A number missing here changes nothing we serve.
CHANGES: dict[int, str] = {
    0: "the base; without a version header a request means this",
    2: "share: snapshot_support",
    3: "share instances",
    5: "share: task_state",
    6: "share: share_type is the id; share_type_name",
    7: "the os- prefixes of routes and actions are gone",
    9: "export locations have routes of their own and leave share and instance bodies",
    10: "share and instance: access_rules_status (syncing is called out_of_sync)",
    11: "share: replication_type, has_replicas; instance: replica_state",
    13: "access type cephx",
    14: "export location: preferred",
    16: "share: user_id",
    18: "share network: gateway",
    20: "share network: mtu",
    21: "access rule: access_key",
    22: "instance: share_type_id",
    23: "pools: filter share_type",
    24: "share: create_share_from_snapshot_support; share type: inferred booleans",
    25: "quota sets: detail",
    26: "share network: nova_net_id is gone",
    27: "share: revert_to_snapshot_support",
    28: "every access rule has its own state; syncing is called so",
    30: "instance: cast_rules_to_readonly",
    31: "share: share_group_id, source_share_group_snapshot_member_id",
    32: "share: mount_snapshot_support",
    33: "access rule: created_at, updated_at",
    35: "lists of shares and instances filter by export location",
    36: "filters name~, description~ and description",
    37: "user messages",
    38: "IPv6 in access rules",
    39: "quota sets: share_type; quotas newer than the version are refused",
    40: "quotas: share_groups, share_group_snapshots",
    41: "share type: description",
    42: "with_count on the list of shares",
    43: "share types: filter extra_specs",
    44: "security service: ou",
    45: "/share-access-rules, rule metadata; the action access_list is gone",
    46: "share type: is_default",
    49: "share servers: manage, unmanage, reset_status, is_auto_deletable, identifier",
    50: "share types can be updated",
    51: "subnets of share networks, for each zone; share server: share_network_subnet_id",
    52: "messages: filters created_since, created_before",
    53: "quotas and limits: share_replicas, replica_gigabytes",
    54: "share and instance: progress; status creating_from_snapshot is visible",
    57: "share server: task_state, source_share_server_id",
    58: "limits: share groups",
    60: "URLs without project id become official (we route both forms at every version)",
    62: "quotas: per_share_gigabytes",
    63: "share networks in use can change their security services, after a check; status",
    64: "extend: force",
    65: "share create: scheduler_hints",
    69: "share: is_soft_deleted, scheduled_to_be_deleted_at",
    70: "several subnets in one zone, also of networks in use; share server: all its subnets",
    71: "instance: updated_at",
    76: "security service: default_ad_site",
    78: "subnet: metadata",
    80: "share: source_backup_id; quotas and limits: backups",
    82: "allow_access: locks; deny_access: unrestrict; filters of the rule list are validated",
    83: "services: disabled_reason",
    84: "share create: mount_point_name",
    86: "services: ensuring",
    87: "export location: metadata",
    88: "access rules can change their level",
    90: "share: encryption_key_ref; quotas: encryption_keys",
    93: "services: filter ensuring",
    97: "filter availability_zone on the list of shares",
    99: "share: snapshot_inherit_share_access_support; share types",
}


class BadVersion(Exception):
    """The header is not of the form M.N (400, answered without version headers)."""


class UnknownVersion(Exception):
    """Well formed, but outside our range (406)."""


class Asked(msgspec.Struct, frozen=True):
    """What the request asked for; `text` is echoed."""

    text: str
    minor: int
    experimental: bool = False


LATEST = Asked(f"2.{MAX}", MAX)


def parse(specific: str | None, common: str | None, experimental: str | None) -> Asked:
    """The microversion of these header values; the service's own header wins over the common one.

    Raises BadVersion; UnknownVersion with the text to echo as its argument.
    """
    text = specific if specific is not None else _from_common(common)
    wants = experimental is not None and experimental.strip().lower() in _TRUE
    if text is None:
        return Asked("2.0", 0, wants)
    match = GRAMMAR.fullmatch(text.strip())
    if match is None or len(text) > 40:
        raise BadVersion(f"version {text[:40]!r} is not of the form MAJOR.MINOR")
    major, minor = int(match[1]), int(match[2])
    if major != 2 or not MIN <= minor <= MAX:
        raise UnknownVersion(match[0])
    return Asked(match[0], minor, wants)


def _from_common(value: str | None) -> str | None:
    """`shared-file-system 2.N` among the comma-separated services of the common header."""
    for part in (value or "").split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() in _SERVICE_TYPES:
            return version.strip()
    return None
