"""Every status word there is, with what it means, and the sets of them that rules ask for.

Which verb moves what from where to where is in `verbs.py`, and with it the sets that follow from
its table. `docs/states.md` is printed from both.
"""

from enum import StrEnum


class Status(StrEnum):
    """A word as it is in the database and on the wire; what it means is said beside it."""


class ShareStatus(Status):
    """Of a share, or rather of the instance that represents it. The sweep sets `error` when the
    bytes are gone; administrators may set some of them by hand."""

    CREATING = "creating"  # its bytes and its export are being made
    AVAILABLE = "available"  # it is served to whom its rules admit
    ERROR = "error"  # it could not be made, or its bytes are gone
    DELETING = "deleting"  # export and bytes are being removed
    ERROR_DELETING = "error_deleting"  # it could not be removed whole; asked by force it is again
    EXTENDING = "extending"  # it is getting larger, and is served meanwhile
    EXTENDING_ERROR = "extending_error"  # it has its old size, and is served
    SHRINKING = "shrinking"  # it is getting smaller, and is served meanwhile
    SHRINKING_ERROR = "shrinking_error"  # it has its old size, and is served
    # of the wire: its data does not fit; ours is `available` again instead
    SHRINKING_POSSIBLE_DATA_LOSS_ERROR = "shrinking_possible_data_loss_error"
    INACTIVE = "inactive"  # of the wire: it waits for its first user
    CREATING_FROM_SNAPSHOT = "creating_from_snapshot"  # of the wire: its bytes are being copied
    MANAGE_STARTING = "manage_starting"  # of the wire: it is being taken over
    UNMANAGE_STARTING = "unmanage_starting"  # of the wire: it is being given away
    MIGRATING = "migrating"  # of the wire: it is on its way to another pool
    MIGRATING_TO = "migrating_to"  # of the wire: it is what another one becomes
    RESTORING = "restoring"  # of the wire: a snapshot comes back
    REVERTING = "reverting"  # of the wire: it becomes what a snapshot of it is
    SERVER_MIGRATING = "server_migrating"  # of the wire: its share server is on its way
    SERVER_MIGRATING_TO = "server_migrating_to"  # of the wire: it is on a server that comes
    BACKUP_CREATING = "backup_creating"  # of the wire: it is being saved
    BACKUP_RESTORING = "backup_restoring"  # of the wire: it comes back from a backup
    ENSURING = "ensuring"  # of the wire: its backend compares it with the world


# Statuses an administrator may set by hand (wire.md#changing-a-share).
SHARE_RESETTABLE = frozenset(
    (
        ShareStatus.CREATING,
        ShareStatus.AVAILABLE,
        ShareStatus.DELETING,
        ShareStatus.ERROR,
        ShareStatus.ERROR_DELETING,
        ShareStatus.MIGRATING,
        ShareStatus.MIGRATING_TO,
        ShareStatus.SERVER_MIGRATING,
    )
)
# The share's rules may not be changed in these, nor may it be given away.
SHARE_TRANSITIONAL = frozenset(
    (
        ShareStatus.CREATING,
        ShareStatus.CREATING_FROM_SNAPSHOT,
        ShareStatus.DELETING,
        ShareStatus.MANAGE_STARTING,
        ShareStatus.UNMANAGE_STARTING,
        ShareStatus.EXTENDING,
        ShareStatus.SHRINKING,
        ShareStatus.MIGRATING,
        ShareStatus.MIGRATING_TO,
        ShareStatus.RESTORING,
        ShareStatus.REVERTING,
        ShareStatus.SERVER_MIGRATING,
        ShareStatus.SERVER_MIGRATING_TO,
        ShareStatus.BACKUP_CREATING,
        ShareStatus.BACKUP_RESTORING,
        ShareStatus.ENSURING,
    )
)


class AccessState(Status):
    """Of an access rule. An agent applies the share's whole set of rules at once, so a rule does
    not rest in the states that say so."""

    QUEUED_TO_APPLY = "queued_to_apply"  # accepted; it will be in force
    APPLYING = "applying"  # of the wire: it is about to be in force
    ACTIVE = "active"  # it is in force
    ERROR = "error"  # the backend cannot do it; a message says why
    QUEUED_TO_UPDATE = "queued_to_update"  # it is in force, and will be at another level
    UPDATING = "updating"  # of the wire: it is about to be at another level
    QUEUED_TO_DENY = "queued_to_deny"  # it will go, and whom it admits is cut off
    DENYING = "denying"  # of the wire: it is about to go


# Rules in these states are to be in force on the export; the others are not.
ACCESS_IN_FORCE = frozenset(
    (
        AccessState.QUEUED_TO_APPLY,
        AccessState.APPLYING,
        AccessState.ACTIVE,
        AccessState.QUEUED_TO_UPDATE,
        AccessState.UPDATING,
    )
)
ACCESS_PENDING = frozenset(AccessState) - {AccessState.ACTIVE, AccessState.ERROR}


class RulesStatus(Status):
    """Of all rules of a share together: seen from the rules, never stored."""

    ACTIVE = "active"  # none is pending, and none in error
    SYNCING = "syncing"  # one is pending
    ERROR = "error"  # one is in error


class ShareNetworkStatus(Status):
    """Of a share network. It follows from its share servers, which the change of one puts on
    another subnet, or gives other security services."""

    ACTIVE = "active"  # shares may be made on it
    NETWORK_CHANGE = "network_change"  # one of its share servers is being changed
    ERROR = "error"  # one of its share servers could not be changed


class ShareServerStatus(Status):
    """Of a share server, a gateway among them."""

    CREATING = "creating"  # it is being made; shares for it wait
    ACTIVE = "active"  # it serves its shares
    ERROR = "error"  # it could not be made, changed or removed; it may still serve what it did
    DELETING = "deleting"  # it is being removed, and no share finds it any more
    NETWORK_CHANGE = "network_change"  # its subnets or security services are being changed
    MANAGE_STARTING = "manage_starting"  # it is being taken over
    MANAGE_ERROR = "manage_error"  # it could not be taken over
    UNMANAGE_STARTING = "unmanage_starting"  # it is being given away
    UNMANAGE_ERROR = "unmanage_error"  # it could not be given away
    INACTIVE = "inactive"  # of the wire: another one has taken its place
    SERVER_MIGRATING = "server_migrating"  # of the wire: it is on its way to another host
    SERVER_MIGRATING_TO = "server_migrating_to"  # of the wire: it is what another one becomes


class AttachmentState(Status):
    """Of a share in a VM. As the VM starts and stops, or a daemon dies, the sweep moves it between
    `active`, `inactive` and `broken`."""

    ATTACHING = "attaching"  # it is being attached
    INACTIVE = "inactive"  # it is there from the VM's next start on
    ACTIVE = "active"  # it is plugged in
    DETACHING = "detaching"  # it is being detached
    BROKEN = "broken"  # its daemon has died: stop and start the VM
    ERROR = "error"  # it could not be attached


class OperationState(Status):
    """Of an operation, which always ends in `done` or `failed`."""

    TODO = "todo"  # nobody has begun it
    RUNNING = "running"  # a step of it is done
    UNDOING = "undoing"  # it cannot succeed; what was done is taken back
    DONE = "done"  # its resource is as was asked
    FAILED = "failed"  # its resource says so, and a message why


OPERATION_ENDED = frozenset((OperationState.DONE, OperationState.FAILED))
OPERATION_LIVE = frozenset(OperationState) - OPERATION_ENDED


class ServiceState(Status):
    """Of one of the service's processes: whether it lives."""

    UP = "up"  # its heartbeat is fresh
    DOWN = "down"  # it has not reported for a while


class ServiceStatus(Status):
    """Of one of the service's processes: whether it may have new work."""

    ENABLED = "enabled"  # it may
    DISABLED = "disabled"  # an administrator does not want it to


class GatewayRole(Status):
    """Of one of the two gateways of a pair, or of one alone."""

    ACTIVE = "active"  # it has the addresses
    STANDBY = "standby"  # it takes over when the other dies


class GatewayHealth(Status):
    """Of a gateway, as its agent saw it last."""

    OK = "ok"  # it passes on to a filer that answers
    UNREACHABLE = "filer unreachable"  # the filer does not answer
    BROKEN = "broken"  # something of the gateway itself is missing


class Verdict(Status):
    """Of a probe."""

    GOOD = "good"  # the share admits and refuses as its rules say
    BROKEN = "broken"  # it does not
