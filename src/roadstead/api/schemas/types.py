"""Share types as clients send them."""

from typing import Any

from roadstead.api.schemas.paging import pairs
from roadstead.api.schemas.values import boolean, string, wrapped
from roadstead.model.errors import BadRequest
from roadstead.service.types import NewType

_PUBLIC = ("share_type_access:is_public", "os-share-type-access:is_public")


def _wrapper(body: dict[str, Any]) -> dict[str, Any]:
    return wrapped(body, "share_type", "volume_type")


def _public(fields: dict[str, Any]) -> bool | None:
    """Either spelling, at every version."""
    for name in _PUBLIC:
        if name in fields:
            return boolean(fields[name], name)
    return None


def _description(fields: dict[str, Any]) -> str | None:
    value = fields.get("description")
    return None if value is None else string(value, "description")


def new(body: dict[str, Any], minor: int) -> NewType:
    """The type to create."""
    fields = _wrapper(body)
    if "description" in fields and minor < 41:
        raise BadRequest("description needs microversion 2.41")
    specs = dict(wrapped(fields, "extra_specs"))
    if minor <= 23:
        specs.setdefault("snapshot_support", "True")
    public = _public(fields)
    return NewType(
        name=string(fields.get("name"), "name", least=1),
        description=_description(fields),
        is_public=True if public is None else public,
        extra_specs=specs,
    )


def changes(body: dict[str, Any]) -> dict[str, Any]:
    """The columns to change. An empty description clears it."""
    fields = _wrapper(body)
    found: dict[str, Any] = {}
    if fields.get("name") is not None:
        found["name"] = string(fields["name"], "name", least=1)
    if fields.get("description") is not None:
        found["description"] = _description(fields) or None
    public = _public(fields)
    if public is not None:
        found["is_public"] = public
    if not found:
        raise BadRequest("give name, description or share_type_access:is_public")
    return found


def listed(query: dict[str, str], minor: int, *, admin: bool) -> dict[str, Any]:
    """What to list: arguments of `service.types.find_all`."""
    public: bool | None = True
    if admin and "is_public" in query:
        word = query["is_public"]
        public = None if word.lower() == "all" else boolean(word, "is_public")
    specs: dict[str, str] = {}
    if "extra_specs" in query:
        if minor < 43:
            raise BadRequest("the filter extra_specs needs microversion 2.43")
        specs = pairs(query, "extra_specs")
    return {"is_public": public, "extra_specs": specs}
