"""Single values of a body. Each function raises BadRequest and names the field."""

from typing import Any, cast

from roadstead.model.errors import BadRequest

_TRUE = frozenset("1 t true on y yes".split())
_FALSE = frozenset("0 f false off n no".split())


def wrapped(body: dict[str, Any], *names: str) -> dict[str, Any]:
    """The object under the first of these names that the body has."""
    for name in names:
        if name in body:
            value = body[name]
            if isinstance(value, dict):
                return cast("dict[str, Any]", value)
            break
    raise BadRequest(f"the body must hold an object named {names[0]}")


def string(value: object, name: str, *, least: int = 0, most: int = 255) -> str:
    """A text of that many characters; blank ones do not count when `least` is above zero."""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a string")
    if len(value) > most or len(value.strip() if least else value) < least:
        raise BadRequest(f"{name} must have {least} to {most} characters")
    return value


def boolean(value: object, name: str) -> bool:
    """A JSON boolean, or one of the words that clients write for it."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadRequest(f"{name} must be a boolean")


def integer(value: object, name: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    """An integer, or its decimal digits."""
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
