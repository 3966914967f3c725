"""Passwords that users of shares were given by those who admit them."""

from roadstead.model.errors import Conflict
from roadstead.model.shares import Share
from roadstead.service.context import Service
from roadstead.store import access
from roadstead.store.db import Tx, lock_project


def sealed(service: Service, tx: Tx, share: Share, user: str, password: str | None) -> str | None:
    """What the rule keeps of the password; None = one is made.

    A server knows a user by one password. Conflict when another rule of the project has, or is
    about to have, another one for the user there; it would be that rule's again at the next change.
    """
    if password is None:
        return None
    box = service.box()
    lock_project(tx, share.project_id)
    keys = access.keys_of_user(tx, share, user)
    # A rule without a key has the password that another one gave, or none yet.
    if keys and {box.unseal(key) for key in keys if key} != {password}:
        raise Conflict(
            f"user {user} has another password on the server of share {share.id}, by another "
            "rule; give that one, or deny that rule first"
        )
    return box.seal(password)
