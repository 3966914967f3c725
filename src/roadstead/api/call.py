"""One request as the handlers see it."""

import functools
import urllib.parse
from typing import Any, cast

import msgspec

from roadstead.model.errors import BadRequest
from roadstead.service.context import Caller, Service


class Address(msgspec.Struct, frozen=True):
    """How the client addressed us: links in bodies repeat it."""

    base: str  # https://host:port, without a slash at the end
    prefix: str  # /v2 or /v2/{project_id}
    path: str  # below the prefix, without slashes at either end
    query: str = ""  # as sent

    def url(self, *parts: str) -> str:
        return "/".join((self.base + self.prefix, *parts))

    def bookmark(self, *parts: str) -> str:
        """The same without the API's version."""
        return "/".join((self.base + self.prefix.removeprefix("/v2"), *parts))

    def query_with(self, **changes: object) -> str:
        """The query as sent, with these parameters replaced and any marker gone."""
        old = urllib.parse.parse_qsl(self.query, keep_blank_values=True)
        kept = [(k, v) for k, v in old if k not in changes and k != "marker"]
        return urllib.parse.urlencode([*kept, *((k, str(v)) for k, v in changes.items())])


class Call:
    """What a handler works with."""

    def __init__(
        self,
        *,
        service: Service,
        caller: Caller,
        minor: int,
        experimental: bool,
        address: Address,
        raw: bytes,
    ) -> None:
        self.service = service
        self.caller = caller
        self.minor = minor
        self.experimental = experimental
        self.address = address
        self._raw = raw

    def since(self, minor: int) -> bool:
        """True when the request's microversion is 2.`minor` or later."""
        return self.minor >= minor

    @functools.cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; of a repeated one the last. BadRequest on a NUL character."""
        try:
            pairs = urllib.parse.parse_qsl(
                self.address.query, keep_blank_values=True, max_num_fields=1000
            )
        except ValueError as error:
            raise BadRequest("too many query parameters") from error
        if any("\0" in key or "\0" in value for key, value in pairs):
            raise BadRequest("a query parameter holds a NUL character")
        return dict(pairs)

    @functools.cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object sent. BadRequest when there is none."""
        if not self._raw:
            raise BadRequest("a JSON body is required")
        try:
            body: Any = msgspec.json.decode(self._raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise BadRequest("the body is not valid JSON") from error
        if not isinstance(body, dict):
            raise BadRequest("the body must be a JSON object")
        found = cast("dict[str, Any]", body)
        # No text column of a database can hold it. (Half a surrogate pair is no valid JSON here.)
        if b"\\u0000" in self._raw and _has_nul(found):
            raise BadRequest("the body holds a NUL character")
        return found

    def action(self) -> str:
        """The one key of an action's body. BadRequest when there are none or several."""
        if len(self.body) != 1:
            raise BadRequest("an action's body has exactly one key")
        return next(iter(self.body))


def _has_nul(body: object) -> bool:
    """True when a text at any depth holds one."""
    todo: list[object] = [body]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            pairs = cast("dict[str, object]", value)
            todo += [*pairs, *pairs.values()]
        elif isinstance(value, list):
            todo += cast("list[object]", value)
        elif isinstance(value, str) and "\0" in value:
            return True
    return False
