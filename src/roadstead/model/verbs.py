"""Every verb on one kind of resource: from which status it may be asked, and where it leads.

The table is carried out: `ops.begin` looks at `start` and sets `via`, and the commit that ends the
operation sets `done` or `failed`. So no status waits for a human: one that is a `via` belongs to
an operation that runs, and every operation ends.
"""

from enum import Enum

import msgspec

from roadstead.model.errors import BadRequest, Conflict, Forbidden, RoadsteadError
from roadstead.model.states import (
    AccessState,
    AttachmentState,
    ShareServerStatus,
    ShareStatus,
    Status,
)


class Fate(Enum):
    """What else than a new status can become of a row."""

    STAYS = "stays as it is"
    GOES = "the row goes"


STAYS, GOES = Fate.STAYS, Fate.GOES

# Where an operation leaves its resource. Several: as the world is found, which the recipe says.
Ending = Status | Fate | tuple[Status, ...]


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """One verb on one kind of resource."""

    name: str
    start: frozenset[Status] = frozenset()  # empty: the resource is made by it
    via: Status | Fate = STAYS  # while it runs
    done: Ending
    failed: Ending
    # How the wire refuses it in another status: {id}, {status}, {start}.
    refusal: type[RoadsteadError] = Conflict
    words: str = "{id} is {status}"
    action_id: str  # of the user message on failure (wire.md#messages)

    @property
    def resource_type(self) -> str:
        """The first half of its name: share, access, share_server, attachment."""
        return self.name.partition(".")[0]


_S, _A, _V, _T = ShareStatus, AccessState, ShareServerStatus, AttachmentState
_RESIZE = "share {id} is {status}; {verb} needs {start}"
_BUSY = "another operation on {type} {id} is under way"

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            name="share.create",
            via=_S.CREATING,
            done=_S.AVAILABLE,
            failed=_S.ERROR,
            action_id="002",
        ),
        Verb(
            name="share.delete",
            start=frozenset((_S.AVAILABLE, _S.ERROR, _S.INACTIVE)),
            via=_S.DELETING,
            done=GOES,
            failed=_S.ERROR_DELETING,
            refusal=Forbidden,
            words="share {id} is {status} and cannot be deleted now",
            action_id="007",
        ),
        Verb(
            name="share.extend",
            start=frozenset((_S.AVAILABLE,)),
            via=_S.EXTENDING,
            done=_S.AVAILABLE,
            failed=(_S.EXTENDING_ERROR, _S.AVAILABLE),
            refusal=BadRequest,
            words=_RESIZE,
            action_id="008",
        ),
        Verb(
            name="share.shrink",
            start=frozenset((_S.AVAILABLE, _S.SHRINKING_POSSIBLE_DATA_LOSS_ERROR)),
            via=_S.SHRINKING,
            done=_S.AVAILABLE,
            failed=(_S.SHRINKING_ERROR, _S.AVAILABLE),  # available: its data does not fit
            refusal=BadRequest,
            words=_RESIZE,
            action_id="009",
        ),
        # It touches nothing but the rules, so what can fail for good is putting them back.
        Verb(
            name="share.probe",
            start=frozenset(
                (
                    _S.AVAILABLE,
                    _S.EXTENDING_ERROR,
                    _S.SHRINKING_ERROR,
                    _S.SHRINKING_POSSIBLE_DATA_LOSS_ERROR,
                )
            ),
            done=STAYS,
            failed=STAYS,
            refusal=BadRequest,
            words="share {id} is {status}; there is nothing to probe",
            action_id="010",
        ),
        Verb(
            name="access.apply",
            via=_A.QUEUED_TO_APPLY,
            done=_A.ACTIVE,
            failed=_A.ERROR,
            action_id="010",
        ),
        Verb(
            name="access.update",
            start=frozenset((_A.ACTIVE, _A.ERROR)),
            via=_A.QUEUED_TO_UPDATE,
            done=_A.ACTIVE,
            failed=_A.ERROR,
            refusal=BadRequest,
            words="access rule {id} is {status}",
            action_id="010",
        ),
        Verb(
            name="access.deny",
            start=frozenset((_A.ACTIVE, _A.ERROR)),
            via=_A.QUEUED_TO_DENY,
            done=GOES,
            failed=_A.ERROR,
            words=_BUSY,
            action_id="003",
        ),
        Verb(
            name="share_server.create",
            via=_V.CREATING,
            done=_V.ACTIVE,
            failed=_V.ERROR,
            action_id="002",
        ),
        Verb(
            name="share_server.delete",
            start=frozenset((_V.ACTIVE, _V.ERROR)),
            via=_V.DELETING,
            done=GOES,
            failed=_V.ERROR,
            refusal=Forbidden,
            words="share server {id} is {status}",
            action_id="007",
        ),
        Verb(
            name="share_server.manage",
            via=_V.MANAGE_STARTING,
            done=_V.ACTIVE,
            failed=_V.MANAGE_ERROR,
            action_id="002",
        ),
        Verb(
            name="share_server.unmanage",
            start=frozenset((_V.ACTIVE, _V.ERROR, _V.MANAGE_ERROR, _V.UNMANAGE_ERROR)),
            via=_V.UNMANAGE_STARTING,
            done=GOES,
            failed=_V.UNMANAGE_ERROR,
            refusal=BadRequest,
            words="share server {id} is {status}",
            action_id="007",
        ),
        # Its subnets or its security services are no longer those it was made with.
        Verb(
            name="share_server.update",
            start=frozenset((_V.ACTIVE,)),
            via=_V.NETWORK_CHANGE,
            done=_V.ACTIVE,
            failed=_V.ERROR,
            refusal=BadRequest,
            words="share server {id} is {status}, not active",
            action_id="005",
        ),
        Verb(
            name="attachment.attach",
            via=_T.ATTACHING,
            done=(_T.ACTIVE, _T.INACTIVE),  # inactive: the VM is off
            failed=_T.ERROR,
            action_id="005",
        ),
        Verb(
            name="attachment.detach",
            start=frozenset((_T.ACTIVE, _T.INACTIVE, _T.BROKEN, _T.ERROR)),
            via=_T.DETACHING,
            done=GOES,
            failed=_T.ERROR,
            words=_BUSY,
            action_id="005",
        ),
        # On the host to which the VM is about to migrate; the attachment works on meanwhile.
        Verb(
            name="attachment.prepare",
            start=frozenset((_T.ACTIVE, _T.INACTIVE)),
            done=STAYS,
            failed=STAYS,
            words="attachment {id} is {status}",
            action_id="005",
        ),
    )
}

# --- what follows from the table ----------------------------------------------------------------


def _words(*endings: Ending) -> frozenset[Status]:
    """The statuses among them."""
    return frozenset(status for status in endings if isinstance(status, Status))


_make, _remove = VERBS["share.create"], VERBS["share.delete"]
_make_server, _remove_server = VERBS["share_server.create"], VERBS["share_server.delete"]

# An operation makes or removes the share, and sees to its export itself.
SHARE_COMES_OR_GOES = _words(_make.via, _remove.via)
# A share in these is not exported, or its own operation sees to it.
SHARE_NOT_SERVED = SHARE_COMES_OR_GOES | _words(_make.failed, _remove.failed)
# A new share may be put on servers in these; on one that is being made it waits for it.
SERVER_USABLE = _words(_make_server.via, _make_server.done)
# No share will ever be served by servers in these.
SERVER_LOST = _words(_make_server.failed, _remove_server.via)
