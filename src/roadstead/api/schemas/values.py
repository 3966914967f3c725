"""Values in bodies and queries, one function per kind; each says which key is wrong.

BadRequest unless told otherwise. NUL characters and halves of surrogate pairs never get here: the
body is refused as a whole (`Call.body`, `Call.query`).
"""

import uuid as uuids
from collections.abc import Mapping
from typing import Any, cast

from roadstead.model.errors import BadRequest, RoadsteadError

_TRUE = frozenset("1 t true on y yes".split())
_FALSE = frozenset("0 f false off n no".split())
# What an integer column of either database holds.
MOST = 2**31 - 1


def wrapped(
    body: Mapping[str, Any], *names: str, fault: type[RoadsteadError] = BadRequest
) -> dict[str, Any]:
    """The object under the first of these names that the body has; `fault` when there is none."""
    value = next((body[name] for name in names if name in body), None)
    if not isinstance(value, dict):
        raise fault(f"the body must hold an object named {names[0]}")
    return cast("dict[str, Any]", value)


def no_argument(body: Mapping[str, Any], action: str) -> None:
    """The action was sent with null or an empty object."""
    if body.get(action) not in (None, {}):
        raise BadRequest(f"{action} takes no arguments")


def string(value: object, name: str, *, least: int = 0, most: int = 255) -> str:
    """A text of that many characters; blank ones do not count when `least` is above zero."""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    if len(value) > most or len(value.strip() if least else value) < least:
        raise BadRequest(f"{name} must have {least} to {most} characters")
    return value


def text(found: Mapping[str, Any], *names: str, most: int = 255) -> str | None:
    """The text under the first of these names that has a non-empty one; "" or None when all are
    empty or missing. null counts as missing; every one of them must be a text."""
    texts = [
        string(value, name, most=most) for name in names if (value := found.get(name)) is not None
    ]
    return next((t for t in texts if t), texts[0] if texts else None)


def required_text(found: Mapping[str, Any], name: str, *, most: int = 255) -> str:
    """A text that must be there and hold something."""
    value = found.get(name)
    if value is None or value == "":
        raise BadRequest(f"{name} is required")
    return string(value, name, most=most)


def uuid(value: object, name: str) -> str:
    """A UUID in its canonical spelling; upper case and missing dashes are forgiven."""
    if isinstance(value, str) and len(value) <= 36:
        try:
            found = str(uuids.UUID(value))
        except ValueError:
            found = ""
        # The library also takes braces and odd dashes.
        if value.lower() in (found, found.replace("-", "")) and found:
            return found
    raise BadRequest(f"{name} must be a UUID")


def boolean(value: object, name: str) -> bool:
    """A JSON boolean, or one of the words and numbers that clients write for it."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str) or value in (0, 1) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadRequest(f"{name} must be a boolean")


def flag(found: Mapping[str, Any], name: str) -> bool:
    """A boolean that is false when it is missing or null."""
    value = found.get(name)
    return False if value is None else boolean(value, name)


def strict_flag(found: Mapping[str, Any], name: str) -> bool:
    """A JSON boolean, no word for one; false when it is missing."""
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false")
    return value


def integer(value: object, name: str, *, least: int = 0, most: int = MOST) -> int:
    """An integer or its decimal digits: no float, no boolean, nothing a database cannot hold."""
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.isascii() and len(value) <= 20:
        digits = value.strip()
        if digits.removeprefix("-").isdigit():
            number = int(digits)
    if number is None or not least <= number <= most:
        raise BadRequest(f"{name} must be an integer from {least} to {most}")
    return number


def size(found: Mapping[str, Any], name: str) -> int:
    """GiB, at least one, that must be there."""
    if found.get(name) is None:
        raise BadRequest(f"{name} is required")
    return integer(found[name], name, least=1)
