"""The OpenAPI 3.1 document, docs/openapi.json: what the route table says, for programs.

OpenAPI has one operation for a method and path. Where several rows share them, as actions do, they
are told apart by `x-openstack`, in the words that OpenStack's own documents have for it: `min-ver`,
`max-ver`, `action-name`, `discriminator`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from roadstead.api import errors, versions
from roadstead.api.bodies.table import BODIES
from roadstead.api.policies import DOCUMENTED
from roadstead.api.route import V2, Route

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"
_SAYS = {name: rule.allows for rules in DOCUMENTED.values() for name, rule in rules.items()}
_ABOUT = """\
Shared file systems by Manila's API, and what Manila has no word for below /roadstead/v1. Printed \
from the route table.

Every path below /v2 is also there below /v2/{project_id}. Without a version header a request \
means 2.0; `x-openstack` says which versions have what. Query parameters and the bodies of answers \
are those of Manila's API reference at the same version, and those of docs/api-v1.md."""


def document(routes: Iterable[Route]) -> Json:
    """The whole document."""
    shapes = list(BODIES.items())
    found, components = msgspec.json.schema_components(
        [shape.kind for _, shape in shapes], ref_template=_REF
    )
    schemas = {handler: schema for (handler, _), schema in zip(shapes, found, strict=True)}
    paths: dict[str, Json] = {}
    for rows in _by_operation(routes):
        where = paths.setdefault(rows[0].prefix + rows[0].path, _parameters(rows[0]))
        where[rows[0].method.lower()] = _operation(rows, [_body(r, schemas) for r in rows])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Roadstead", "version": f"2.{versions.MAX}", "description": _ABOUT},
        "paths": paths,
        "components": _components(components),
        "security": [{"token": []}, {"basic": []}],
    }


def _by_operation(routes: Iterable[Route]) -> list[list[Route]]:
    found: dict[tuple[str, str, str], list[Route]] = {}
    for route in routes:
        found.setdefault((route.prefix, route.path, route.method), []).append(route)
    return list(found.values())


def _parameters(route: Route) -> Json:
    """What every method of the path has."""
    text: Json = {"schema": {"type": "string"}}
    found = [{"name": n, "in": "path", "required": True, **text} for n in route.variables]
    if route.prefix == V2:
        found.append({"$ref": "#/components/parameters/version"})
    return {"parameters": found} if found else {}


def _operation(rows: list[Route], bodies: list[Json | None]) -> Json:
    first = rows[0]
    found: Json = {"operationId": _name(first), "responses": _responses(rows)}
    if first.action is None and first.policy:
        found["summary"] = _SAYS[first.policy]
    if first.prefix == V2 and len(rows) == 1:
        found["x-openstack"] = _range(first)
    if sent := [body for body in bodies if body is not None]:
        found["requestBody"] = {"required": True, "content": {"application/json": _one_of(sent)}}
    found["x-roadstead-policies"] = sorted({r.policy for r in rows if r.policy})
    return found


def _name(route: Route) -> str:
    words = route.path.replace("{", "").replace("}", "").replace("-", "_").strip("/").split("/")
    version = "v2" if route.prefix == V2 else "v1"
    return "_".join((version, route.method.lower(), *words)).replace(".", "_")


def _range(route: Route) -> Json:
    """Versions that have the row; nothing where all have."""
    found: Json = {"min-ver": f"2.{route.min}"}
    if route.max is not None:
        found["max-ver"] = f"2.{route.max}"
    if route.experimental_until >= route.min:
        found["experimental-until"] = f"2.{route.experimental_until}"
    return found


def _body(route: Route, schemas: dict[Any, Json]) -> Json | None:
    """The body's schema; None for a row without one."""
    if not route.body:
        return None
    inner, key = schemas[route.handler], route.action or BODIES[route.handler].key
    if route.action is not None and not _needs_argument(route):
        inner = {"anyOf": [inner, {"type": "null"}]}
    if not key:
        return inner
    schema: Json = {"type": "object", "properties": {key: inner}, "required": [key]}
    if route.action is not None:
        schema["additionalProperties"] = False
        schema["description"] = _SAYS[route.policy or ""]
        schema["x-openstack"] = {"action-name": route.action, **_range(route)}
        schema["x-roadstead-status"] = route.status
    return schema


def _needs_argument(route: Route) -> bool:
    """False when null will do."""
    kind = BODIES[route.handler].kind
    return any(field.required for field in msgspec.structs.fields(kind))


def _one_of(bodies: list[Json]) -> Json:
    if len(bodies) == 1:
        return {"schema": bodies[0]}
    return {"schema": {"oneOf": bodies, "x-openstack": {"discriminator": "action"}}}


def _responses(rows: list[Route]) -> Json:
    found: Json = {str(r.status): {"description": _DONE[r.status]} for r in rows}
    possible = {400, 401, 403, 404, 409, 413, 422, 503}
    if all(r.policy is None for r in rows):
        possible -= {403}
    if all(r.method == "GET" for r in rows):
        possible -= {413, 422}
    if rows[0].prefix == V2:
        possible |= {406}
    return found | {
        str(code): {"$ref": f"#/components/responses/{code}"} for code in sorted(possible)
    }


_DONE = {200: "It is done.", 202: "It has begun, or is done.", 204: "It is done."}
_ERRORS = {
    400: "The request is malformed, or does not fit what it is about.",
    401: "Nobody is known by these credentials.",
    403: "The policy does not allow it, or a status or quota forbids it.",
    404: "There is no such thing, or not for this project, or not at this version.",
    406: "The version is none of 2.0 to 2.99.",
    409: "It is busy or in use, or there is one already.",
    413: "A quota is used up, or the body is too large.",
    422: "The body does not hold the object that it should.",
    503: "The identity service or the agent cannot be reached; try again.",
}


def _components(schemas: Json) -> Json:
    return {
        "schemas": schemas | {"Fault": _FAULT},
        "responses": {str(code): _response(code, text) for code, text in _ERRORS.items()},
        "parameters": {"version": _VERSION},
        "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
            "basic": {"type": "http", "scheme": "basic"},
        },
    }


def _response(code: int, text: str) -> Json:
    key = next(iter(errors.envelope(code, "").body))
    fault = {"type": "object", "properties": {key: {"$ref": _REF.format(name="Fault")}}}
    return {"description": text, "content": {"application/json": {"schema": fault}}}


_FAULT: Json = {
    "type": "object",
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
_VERSION: Json = {
    "name": versions.HEADER,
    "in": "header",
    "description": f"2.{versions.MIN} to 2.{versions.MAX}; 2.0 if it is missing",
    "schema": {"type": "string", "pattern": versions.GRAMMAR.pattern},
}
