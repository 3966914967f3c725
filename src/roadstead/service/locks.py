"""Locks that come with access rules: who sets them, who may lift them, who sees through.

A lock belongs to the user who set it. An administrator's is lifted by administrators only, a
service's by services and administrators.
"""

import msgspec

from roadstead.model.access import AccessRule, LockOwner, ResourceLock
from roadstead.model.errors import BadRequest, Forbidden
from roadstead.model.ids import new_id
from roadstead.model.shares import Share
from roadstead.service.context import Caller
from roadstead.store import locks as store
from roadstead.store.db import Tx, utcnow

HIDDEN = "******"


class WantedLocks(msgspec.Struct, frozen=True, kw_only=True):
    """What an access rule shall be locked against, and why."""

    visibility: bool = False
    deletion: bool = False
    reason: str | None = None


def _context(caller: Caller) -> str:
    if "service" in caller.roles:
        return "service"
    return "admin" if caller.is_admin else "user"


def _is_own(caller: Caller, owner: LockOwner) -> bool:
    return (owner.user_id, owner.project_id, owner.lock_context) == (
        caller.user_id,
        caller.project_id,
        "user",
    )


def may_lift(caller: Caller, owner: LockOwner) -> bool:
    """True when the caller may remove a lock of that owner."""
    if caller.is_admin:
        return True
    if "service" in caller.roles:
        return owner.lock_context != "admin"
    return _is_own(caller, owner)


def sees(caller: Caller, rule: AccessRule) -> bool:
    """True when nothing of the rule is hidden from the caller."""
    owner = rule.hidden_by
    return owner is None or caller.is_admin or "service" in caller.roles or _is_own(caller, owner)


def shown(caller: Caller, rule: AccessRule) -> AccessRule:
    """The rule as the caller may see it: whom it admits, and its key, may be hidden."""
    if sees(caller, rule):
        return rule
    return msgspec.structs.replace(rule, access_to=HIDDEN, access_key=HIDDEN)


def set_on_rule(tx: Tx, caller: Caller, rule: AccessRule, wanted: WantedLocks) -> None:
    """The rule is locked as wanted. Against deletion its share is locked too: without the share
    the rule would be gone as well."""
    if not (wanted.visibility or wanted.deletion):
        return

    def lock(resource_type: str, resource_id: str, action: str, reason: str | None) -> ResourceLock:
        return ResourceLock(
            id=new_id(),
            user_id=caller.user_id,
            project_id=caller.project_id,
            lock_context=_context(caller),
            resource_type=resource_type,
            resource_id=resource_id,
            resource_action=action,
            lock_reason=reason,
            share_id=rule.share_id,
            access_rule_id=rule.id,
            created_at=utcnow(),
        )

    locks: list[ResourceLock] = []
    if wanted.visibility:
        locks.append(lock("access_rule", rule.id, "show", wanted.reason))
    if wanted.deletion:
        own = lock("access_rule", rule.id, "delete", wanted.reason)
        because = f"access rule {rule.id} is locked by {own.id}"
        locks += [own, lock("share", rule.share_id, "delete", because)]
    store.insert(tx, locks)


def lift_for_deny(tx: Tx, caller: Caller, rule: AccessRule, *, unrestrict: bool) -> None:
    """The rule may be denied: it had no lock against deletion, or has none any more. Forbidden:
    nobody asked to lift it, or the caller may not."""
    held = store.of_rule(tx, rule, "delete")
    if not held:
        return
    if not unrestrict:
        raise Forbidden(
            f"access rule {rule.id} is locked against deletion; its owner may deny it with "
            "unrestrict"
        )
    if not all(may_lift(caller, lock) for lock in held):
        raise Forbidden(f"access rule {rule.id} is locked by somebody whose locks you cannot lift")
    store.delete_of_rule(tx, rule)


def check_share(tx: Tx, share: Share, *, forced: bool = False) -> None:
    """Forbidden while the share is locked against deletion (BadRequest when it is forced)."""
    if store.holds_share(tx, share, "delete"):
        fault = BadRequest if forced else Forbidden
        raise fault(f"share {share.id} is locked against deletion")
