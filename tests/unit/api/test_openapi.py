"""The OpenAPI document is valid, has every row of the route table, and its bodies are those that
the handlers read."""

import contextlib
import json
from typing import Any, get_args, get_type_hints

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate

from roadstead.api import openapi, versions
from roadstead.api.bodies.base import Body
from roadstead.api.bodies.table import BODIES
from roadstead.api.call import Address, Call
from roadstead.api.route import V2, Route
from roadstead.api.routes import ROUTES as ROUTES_V2
from roadstead.api.routes_v1 import ROUTES_V1
from roadstead.api.views.quotas import SINCE
from roadstead.model.errors import RoadsteadError
from roadstead.model.ids import new_id
from tests.factories import World, make_caller
from tests.unit.api import test_nonsense

ROUTES = [*ROUTES_V2, *ROUTES_V1]
# Of the rows with one handler the last: it has had the most versions to learn.
BODY_ROUTES = list({r.handler: r for r in ROUTES if r.body}.values())
DOCUMENT = json.loads(json.dumps(openapi.document(ROUTES)))


def _id(route: Route) -> str:
    return f"{route.method} {route.path} {route.action or ''}".strip()


def test_it_is_valid() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{_id(r)} 2.{r.min}")
def test_each_row_is_there(route: Route) -> None:
    found = DOCUMENT["paths"][route.prefix + route.path][route.method.lower()]
    assert str(route.status) in found["responses"]
    assert route.policy is None or route.policy in found["x-roadstead-policies"]
    if route.action is not None:
        schema = found["requestBody"]["content"]["application/json"]["schema"]
        (found,) = (
            one
            for one in schema.get("oneOf", [schema])
            if one["x-openstack"]["action-name"] == route.action
        )
    if route.prefix == V2:
        span = found["x-openstack"]
        assert span["min-ver"] == f"2.{route.min}"
        assert span.get("max-ver") == (None if route.max is None else f"2.{route.max}")


def test_nothing_else_is_there() -> None:
    methods = {"get", "put", "post", "delete"}
    there = {(p, m) for p, found in DOCUMENT["paths"].items() for m in found if m in methods}
    assert there == {(r.prefix + r.path, r.method.lower()) for r in ROUTES}


def test_each_body_is_documented_and_used() -> None:
    assert set(BODIES) == {route.handler for route in ROUTES if route.body}


@pytest.mark.parametrize(
    "route", [r for r in BODY_ROUTES if r.prefix == V2 and r.handler in BODIES], ids=_id
)
def test_what_clients_send_fits_its_schema(route: Route) -> None:
    """The bodies of another suite, written without a look at these schemas."""
    sent: Any = test_nonsense._shape(route)
    media = DOCUMENT["paths"][route.prefix + route.path][route.method.lower()]["requestBody"]
    schema = media["content"]["application/json"]["schema"]
    jsonschema.validate(sent, {**schema, "components": DOCUMENT["components"]})


TYPED = [
    r
    for r in BODY_ROUTES
    if isinstance(BODIES[r.handler].kind, type) and issubclass(BODIES[r.handler].kind, Body)
]


class Watched(dict[str, Any]):
    """An object of a body that knows which of its keys were looked at."""

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self.seen: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.seen.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)

    def __iter__(self) -> Any:  # so that a copy asks for each key, too
        return iter(list(super().keys()))

    def items(self) -> Any:
        self.seen |= set(self)
        return super().items()

    def __eq__(self, other: object) -> bool:
        self.seen |= set(self)
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]


def _example(kind: type[Body]) -> Watched:
    """An object with every key that there is."""
    return Watched({f.encode_name: _value(f) for f in msgspec.structs.fields(kind)})


def _value(field: Any) -> Any:
    if field.encode_name in EXAMPLES:
        return EXAMPLES[field.encode_name]
    if (kind := _struct_in(field.type)) is not None:
        return _example(kind)
    for value in ("some text", 2, False, {"k": "v"}, "ro", "ldap", "auto"):
        try:
            return msgspec.convert(value, field.type, strict=True)
        except msgspec.ValidationError:
            continue
    raise AssertionError(f"no example for {field}")


def _struct_in(hint: Any) -> type[Body] | None:
    if isinstance(hint, type):
        return hint if issubclass(hint, Body) else None
    return next((k for part in get_args(hint) if (k := _struct_in(part)) is not None), None)


EXAMPLES: dict[str, Any] = {
    "access_type": "ip",
    "access_to": "10.0.0.5",
    "task_state": None,
    "share_id": new_id(),
    "volume_type": None,
    "extra_specs": {"driver_handles_share_servers": "False"},
    "same_host": new_id(),
    "different_host": new_id(),
    "status": "error",
    "lock_visibility": True,
    "nova_net_id": None,
}


def _send(world: World, route: Route, body: dict[str, Any]) -> None:
    call = Call(
        service=world.service,
        caller=make_caller(admin=True),
        minor=versions.MAX if route.max is None else route.max,
        experimental=True,
        address=Address("http://here", "/v2", ""),
        raw=b"",
    )
    call.__dict__["body"] = body
    values = ["enable" if v == "verb" else "k" if v == "key" else new_id() for v in route.variables]
    with contextlib.suppress(RoadsteadError):  # what it is about is not there; its body was read
        route.handler(call, *values)


@pytest.mark.parametrize("route", TYPED, ids=_id)
def test_the_documented_keys_are_those_that_are_read(route: Route, world: World) -> None:
    shape = BODIES[route.handler]
    sent = _example(shape.kind)
    key = route.action or shape.key
    _send(world, route, {key: sent} if key else sent)
    for part in (sent, *(v for v in sent.values() if isinstance(v, Watched))):
        assert set(part.keys()) == part.seen - ALSO_READ


# By another name, for old clients.
ALSO_READ = {"os-share-type-access:is_public", "meta"}


def test_every_quota_is_documented() -> None:
    kind = BODIES[next(h for h, s in BODIES.items() if s.key == "quota_set")].kind
    assert set(get_type_hints(kind)) - {"force"} == set(SINCE)
