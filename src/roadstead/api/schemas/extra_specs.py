"""Extra specs as clients send them; their values are judged by the model."""

from typing import Any

from roadstead.api.schemas.values import wrapped
from roadstead.model.errors import BadRequest


def several(body: dict[str, Any]) -> dict[str, Any]:
    """The specs to set."""
    return wrapped(body, "extra_specs")


def single(body: dict[str, Any], key: str) -> dict[str, Any]:
    """The one spec to set: the key of the URL and no other."""
    if list(body) != [key]:
        raise BadRequest(f"the body must hold {key} and nothing else")
    return body
