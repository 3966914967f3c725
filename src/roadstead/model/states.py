"""Every status, and each verb with its start, via, done and failed status, in one table.

No status waits for a human: a transient status belongs to exactly one verb, and the operation
that carries the verb out always ends in `done` or `failed`. `None` in `done` means: the row goes.
"""

import msgspec

SHARE_STATUSES = frozenset(
    "creating creating_from_snapshot deleting error error_deleting available inactive "
    "manage_starting manage_error unmanage_starting unmanage_error extending extending_error "
    "shrinking shrinking_error shrinking_possible_data_loss_error migrating migrating_to "
    "replication_change restoring reverting reverting_error awaiting_transfer backup_creating "
    "backup_restoring ensuring server_migrating server_migrating_to".split()
)
# Statuses an administrator may set by hand (wire.md#changing-a-share).
RESETTABLE_SHARE_STATUSES = frozenset(
    "creating available deleting error error_deleting migrating migrating_to "
    "server_migrating".split()
)
# These block rule changes and unmanage.
TRANSITIONAL_SHARE_STATUSES = frozenset(
    "creating creating_from_snapshot deleting manage_starting unmanage_starting extending "
    "shrinking migrating migrating_to restoring reverting server_migrating server_migrating_to "
    "backup_restoring backup_creating ensuring reverting_to_snapshot".split()
)
SHARE_NETWORK_STATUSES = frozenset("active error network_change".split())
SHARE_SERVER_STATUSES = frozenset(
    "active error deleting creating manage_starting unmanage_starting unmanage_error "
    "manage_error inactive server_migrating server_migrating_to network_change".split()
)
# A new share may be put on servers in these; on one that is being made it waits for it.
USABLE_SERVER_STATUSES = frozenset("creating active".split())
ACCESS_STATES = frozenset(
    "queued_to_apply applying active error queued_to_deny denying queued_to_update updating".split()
)
# Rules in these states are to be in force on the export; the others are not.
ACCESS_IN_FORCE = frozenset("queued_to_apply applying active queued_to_update updating".split())
ACCESS_PENDING = frozenset(
    "queued_to_apply applying queued_to_deny denying queued_to_update updating".split()
)


class Verb(msgspec.Struct, frozen=True):
    """One verb on one kind of resource."""

    name: str
    start: frozenset[str]  # statuses it may be asked in; empty = the resource is made by it
    via: str  # while it runs; "" here and below = the status stays as it is
    done: str | None  # None: the row is removed
    failed: str
    action_id: str  # of the user message on failure (wire.md#messages)


def _v(name: str, start: str, via: str, done: str | None, failed: str, action_id: str) -> Verb:
    return Verb(name, frozenset(start.split()), via, done, failed, action_id)


VERBS: dict[str, Verb] = {
    v.name: v
    for v in (
        _v("share.create", "", "creating", "available", "error", "002"),
        _v("share.delete", "available error inactive", "deleting", None, "error_deleting", "007"),
        _v("share.extend", "available", "extending", "available", "extending_error", "008"),
        _v(
            "share.shrink",
            "available shrinking_possible_data_loss_error",
            "shrinking",
            "available",
            "shrinking_error",
            "009",
        ),
        # It touches nothing but the rules, so what can fail for good is putting them back.
        _v(
            "share.probe",
            "available extending_error shrinking_error shrinking_possible_data_loss_error",
            "",
            "",
            "",
            "010",
        ),
        _v("access.apply", "", "queued_to_apply", "active", "error", "010"),
        _v("access.update", "active error", "queued_to_update", "active", "error", "010"),
        _v("access.deny", "active error", "queued_to_deny", None, "error", "003"),
        _v("share_server.create", "", "creating", "active", "error", "002"),
        _v("share_server.delete", "active error", "deleting", None, "error", "007"),
        _v("share_server.manage", "", "manage_starting", "active", "manage_error", "002"),
        _v(
            "share_server.unmanage",
            "active error manage_error unmanage_error",
            "unmanage_starting",
            None,
            "unmanage_error",
            "007",
        ),
        # its subnets or its security services are no longer those it was made with
        _v("share_server.update", "active", "network_change", "active", "error", "005"),
        # active, or inactive when the VM is off
        _v("attachment.attach", "", "attaching", "active", "error", "005"),
        _v(
            "attachment.detach",
            "active inactive broken error",
            "detaching",
            None,
            "error",
            "005",
        ),
        # On the host to which the VM is about to migrate; the attachment works on meanwhile.
        _v("attachment.prepare", "active inactive", "", "", "", "005"),
    )
}
