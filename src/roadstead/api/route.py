"""One row of the route table, and finding the row for a request."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.model.errors import BadRequest, NotFound

# A handler gets the call and the path's variables, in order; its result is the body of the answer
# (None: an empty one). It has no business with HTTP.
Handler = Callable[..., Any]

V2, V1 = "/v2", "/roadstead/v1"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a client may ask, and since when."""

    method: str
    path: str  # below the prefix, in /v2 also below /v2/{project_id}; variables in braces
    handler: Handler
    policy: str | None  # rule that must admit the caller; None: any identity
    status: int = 200
    min: int = 0  # minor of the microversion it begins with
    max: int | None = None  # and of the last one that has it
    action: str | None = None  # the key of the body, for .../action routes
    body: bool = False  # a JSON body is required
    experimental_until: int = -1  # last minor at which it needs the experimental header
    prefix: str = V2

    def live(self, minor: int, experimental: bool) -> bool:
        """True when it exists for a request of this version."""
        if minor < self.min or (self.max is not None and minor > self.max):
            return False
        return experimental or minor > self.experimental_until

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the path's variables."""
        return tuple(s[1:-1] for s in self.path.split("/") if s.startswith("{"))


def renamed(action: str, handler: Handler, **fields: Any) -> list[Route]:
    """An action that was called `os-…` up to 2.6."""
    since, until = fields.pop("min", 0), fields.pop("max", None)
    row: dict[str, Any] = {"method": "POST", "handler": handler, "body": True, **fields}
    return [
        Route(action=f"os-{action}", min=since, max=6, **row),
        Route(action=action, min=7, max=until, **row),
    ]


def moved(method: str, path: str, os_path: str, **fields: Any) -> list[Route]:
    """A route that was at an `os-…` path up to 2.6."""
    return [
        Route(method=method, path=os_path, max=6, **fields),
        Route(method=method, path=path, min=7, **fields),
    ]


def with_metadata(
    path: str, handlers: Any, read: str, write: str, remove: str, since: int = 0
) -> list[Route]:
    """The six routes of a resource's metadata."""
    every: dict[str, Any] = {"path": f"{path}/metadata", "min": since}
    one: dict[str, Any] = {"path": f"{path}/metadata/{{key}}", "min": since}
    change: dict[str, Any] = {"policy": write, "body": True}
    return [
        Route(method="GET", handler=handlers.index, policy=read, **every),
        Route(method="POST", handler=handlers.merge, **change, **every),
        Route(method="PUT", handler=handlers.replace, **change, **every),
        Route(method="GET", handler=handlers.show, policy=read, **one),
        Route(method="POST", handler=handlers.set_one, **change, **one),
        Route(method="DELETE", handler=handlers.delete, policy=remove, **one),
    ]


class _Node:
    __slots__ = ("children", "methods", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.methods: dict[str, list[Route]] = {}


class Found(msgspec.Struct, frozen=True):
    """Rows of one method and path, and the values of the path's variables."""

    routes: list[Route]
    values: tuple[str, ...]


class Router:
    """A tree over path segments; literal segments win over variables."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.variable = node = node.variable or _Node()
                else:
                    node = node.children.setdefault(segment, _Node())
            node.methods.setdefault(route.method, []).append(route)

    def find(self, method: str, segments: list[str]) -> Found | None:
        """The rows for this request, at whatever version; None when it is unrouted."""
        return _find(self._root, method, segments, ())


def _find(node: _Node, method: str, rest: list[str], values: tuple[str, ...]) -> Found | None:
    if not rest:
        routes = node.methods.get(method)
        return Found(routes, values) if routes else None
    head, tail = rest[0], rest[1:]
    if (child := node.children.get(head)) is not None:
        if (found := _find(child, method, tail, values)) is not None:
            return found
    if node.variable is not None and head:
        return _find(node.variable, method, tail, (*values, head))
    return None


def choose(routes: list[Route], call: Call) -> Route:
    """The row that this version, and the action in the body, mean.

    NotFound when it does not exist at that version; BadRequest when the action is unknown at every
    version, or the body does not have exactly one key.
    """
    if any(r.action for r in routes):
        routes = [r for r in routes if r.action == call.action()]
        if not routes:
            raise BadRequest(f"there is no such action: {call.action()!r}")
    for route in routes:
        if route.live(call.minor, call.experimental):
            return route
    raise NotFound(f"not available at microversion 2.{call.minor}")
