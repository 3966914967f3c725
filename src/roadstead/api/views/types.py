"""Share types on the wire (wire.md#share-types)."""

from typing import Any

from roadstead.model.extra_specs import INFERRED, KNOWN, REQUIRED
from roadstead.model.shares import ShareType


def _specs(share_type: ShareType, minor: int) -> dict[str, object]:
    """What others than administrators see: the known specs, and what they imply when unset."""
    seen: dict[str, object] = {k: v for k, v in share_type.extra_specs.items() if k in KNOWN}
    for key, since in INFERRED.items():
        if minor >= since:
            seen.setdefault(key, False)
    return seen


def share_type(
    share_type: ShareType, *, minor: int, admin: bool, default_name: str
) -> dict[str, Any]:
    """One type."""
    specs = share_type.extra_specs
    public = "share_type_access:is_public" if minor >= 7 else "os-share-type-access:is_public"
    view: dict[str, Any] = {
        "id": share_type.id,
        "name": share_type.name,
        "extra_specs": specs if admin else _specs(share_type, minor),
        "required_extra_specs": {k: v for k, v in specs.items() if k == REQUIRED},
        public: share_type.is_public,
    }
    if minor >= 41:
        view["description"] = share_type.description
    if minor >= 46:
        view["is_default"] = share_type.name == default_name
    return view


def one(view: dict[str, Any]) -> dict[str, Any]:
    """Under both its names: old clients look for the first one."""
    return {"volume_type": view, "share_type": view}


def many(views: list[dict[str, Any]]) -> dict[str, Any]:
    """Under both their names."""
    return {"volume_types": views, "share_types": views}
