"""Extra specs on the wire."""

from collections.abc import Mapping
from typing import Any

from roadstead.model.errors import NotFound
from roadstead.model.shares import ShareType


def many(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {"extra_specs": specs}


def one(share_type: ShareType, key: str) -> dict[str, Any]:
    """NotFound when the type has no such spec."""
    if key not in share_type.extra_specs:
        raise NotFound(f"share type {share_type.id} has no extra spec {key}")
    return {key: share_type.extra_specs[key]}
