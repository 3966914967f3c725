"""Which sizes a share type allows."""

from roadstead.model.errors import BadRequest, NotFound
from roadstead.model.shares import ShareType
from roadstead.store import share_types
from roadstead.store.db import Tx
from roadstead.store.scope import everyone


def type_of(tx: Tx, type_id: str) -> ShareType:
    """A share's own type, also when it is private by now. NotFound when it is gone."""
    found = share_types.find(tx, everyone(), type_id)
    if found is None:
        raise NotFound(f"share type {type_id} could not be found")
    return found


def check_size(share_type: ShareType, size_gib: int, *, admin: bool) -> None:
    """BadRequest when the type does not allow this size; administrators have their own maximum."""
    specs = share_type.extra_specs
    least = int(specs.get("provisioning:min_share_size", 0))
    most = int(specs.get("provisioning:max_share_size", 0))
    if admin:
        most = int(specs.get("provisioning:max_share_extend_size", most))
    if size_gib < least:
        raise BadRequest(f"share type {share_type.name} wants at least {least} GiB")
    if most and size_gib > most:
        raise BadRequest(f"share type {share_type.name} allows {most} GiB at most")
