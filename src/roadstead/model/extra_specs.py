"""The extra specs of share types that mean something to the service (wire.md#extra-specs)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from roadstead.model.errors import BadRequest

REQUIRED = "driver_handles_share_servers"
_KEY = re.compile(r"[\w.\-:]+")
_TRUE = frozenset("1 true t yes y on".split())
_FALSE = frozenset("0 false f no n off".split())


def _boolean(text: str) -> bool:
    return text.removeprefix("<is>").strip().lower() in _TRUE | _FALSE


def _plain_boolean(text: str) -> bool:
    return text.strip().lower() in _TRUE | _FALSE


def _positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:18]) >= 1 and len(text) < 10


def _zones(text: str) -> bool:
    return all(zone.strip() for zone in text.split(","))


def _one_of(*names: str) -> Callable[[str], bool]:
    return lambda text: text in names


def _text(text: str) -> bool:
    return len(text) <= 255


_SNAPSHOTS = (
    "snapshot_support",
    "create_share_from_snapshot_support",
    "revert_to_snapshot_support",
    "mount_snapshot_support",
)
INHERIT = "snapshot_inherit_share_access_support"
# What everybody sees as false when it is not set, and since which microversion.
INFERRED: dict[str, int] = {**dict.fromkeys(_SNAPSHOTS, 24), INHERIT: 99}

# The specs that everybody may see, each with what its value must be.
KNOWN: Mapping[str, Callable[[str], bool]] = {
    REQUIRED: _plain_boolean,
    **dict.fromkeys((*_SNAPSHOTS, "mount_point_name_support", INHERIT), _boolean),
    "replication_type": _one_of("readable", "writable", "dr"),
    "availability_zones": _zones,
    "provisioning:min_share_size": _positive,
    "provisioning:max_share_size": _positive,
    "provisioning:max_share_extend_size": _positive,
    "provisioning:mount_point_prefix": _text,
    "encryption_support": _one_of("share", "share_server"),
    "default_qos_type": _text,
}
_MAY_BE_EMPTY = frozenset(("provisioning:mount_point_prefix",))
_MAY_BE_INT = frozenset(key for key, check in KNOWN.items() if check is _positive)


def checked(specs: Mapping[str, Any], *, strict_keys: bool = False) -> dict[str, str]:
    """The specs as they are stored: strings. BadRequest on a value that its key cannot have;
    with `strict_keys` also on a key that does not fit into a URL."""
    return {key: _checked(key, value, strict_keys) for key, value in specs.items()}


def _checked(key: str, value: Any, strict_keys: bool) -> str:
    if not 1 <= len(key) <= 255 or (strict_keys and not _KEY.fullmatch(key)):
        raise BadRequest(f"{key[:255]!r} cannot be the name of an extra spec")
    if key in _MAY_BE_INT and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadRequest(f"extra spec {key}: the value must be a string or a boolean")
    if not (value or key in _MAY_BE_EMPTY) or len(value) > 255:
        raise BadRequest(f"extra spec {key}: the value must have 1 to 255 characters")
    check = KNOWN.get(key)
    if check is not None and not check(value):
        raise BadRequest(f"extra spec {key}: invalid value {value!r}")
    if key == "availability_zones":
        return ",".join(zone.strip() for zone in value.split(","))
    return value
