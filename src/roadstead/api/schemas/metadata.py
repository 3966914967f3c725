"""Metadata of every resource that has some (wire.md#metadata)."""

import re
from collections.abc import Mapping
from typing import Any, cast

from roadstead.model.errors import BadRequest

_LOCATION_KEY = re.compile(r"[A-Za-z0-9\-_:. ]{1,255}")


def pairs(value: object) -> dict[str, str]:
    """Key 1-255 characters, value 1-1023. BadRequest otherwise."""
    if not isinstance(value, dict):
        raise BadRequest("metadata must be an object of strings")
    found = cast("dict[str, object]", value)
    for key, item in found.items():
        if not 1 <= len(key) <= 255 or key.isspace():
            raise BadRequest("a metadata key has 1 to 255 characters")
        if not isinstance(item, str) or not 1 <= len(item) <= 1023:
            raise BadRequest(f"the value of metadata {key!r} must be a string of 1 to 1023")
    return cast("dict[str, str]", found)


def optional_pairs(found: Mapping[str, Any]) -> dict[str, str]:
    """The pairs under `metadata`; none when it is missing or null."""
    value = found.get("metadata")
    return {} if value is None else pairs(value)


def location_pairs(value: object) -> dict[str, str]:
    """As `pairs`, with the smaller alphabet for keys that export locations have."""
    found = pairs(value)
    for key in found:
        if not _LOCATION_KEY.fullmatch(key):
            raise BadRequest(f"metadata key {key!r}: letters, digits and -_:. only")
    return found


def body(body: Mapping[str, Any]) -> object:
    """What is under `metadata` (or its alias `meta`)."""
    if "metadata" in body:
        return body["metadata"]
    if "meta" in body:
        return body["meta"]
    raise BadRequest("the body needs an object named metadata")


def one(found: dict[str, str], key: str) -> dict[str, str]:
    """The single pair, which must be the one that the URL names."""
    if set(found) != {key}:
        raise BadRequest("the body must hold exactly the key that the URL names")
    return found
