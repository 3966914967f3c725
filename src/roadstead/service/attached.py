"""What may not be done to a share, or to a rule, while VMs have the share attached."""

from roadstead.model.access import AccessRule
from roadstead.model.errors import Forbidden
from roadstead.model.queries import AttachmentFilter
from roadstead.model.shares import Share
from roadstead.store import attachments as store
from roadstead.store.db import Tx
from roadstead.store.scope import everyone


def refuse_share(tx: Tx, share: Share, verb: str) -> None:
    """Forbidden while a VM has the share; the attachments are named (H-M2)."""
    found = store.find_all(tx, everyone(), AttachmentFilter(share_id=share.id))
    if found:
        names = ", ".join(f"{a.id} (VM {a.vm_name})" for a in found)
        raise Forbidden(f"share {share.id} cannot be {verb} while it is attached: {names}")


def refuse_rule(tx: Tx, rule: AccessRule, verb: str) -> None:
    """Forbidden while a compute host has its attachments by this rule."""
    grant = store.grant_of_rule(tx, rule)
    if grant is not None:
        raise Forbidden(
            f"access rule {rule.id} cannot be {verb}: attachments of VMs need it; detach them first"
        )
