"""What an error looks like on the wire (wire.md#errors)."""

import http
from typing import Any

import msgspec

from roadstead.model import errors as e

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (e.BadRequest, 400),
    (e.Unauthorized, 401),
    (e.Forbidden, 403),
    (e.NotFound, 404),
    (e.Conflict, 409),
    (e.OverQuota, 413),
    (e.Unprocessable, 422),
    (e.Transient, 503),
)
_KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    501: "notImplemented",
    503: "serviceUnavailable",
}
INTERNAL = "The server could not answer this request; the operator finds why by its request id."


class Answer(msgspec.Struct, frozen=True):
    """A status, a JSON body and headers."""

    status: int
    body: Any
    headers: dict[str, str] = {}


def envelope(status: int, message: str, **more: object) -> Answer:
    """The error in the form every client knows; 413 says that retrying does not help by itself."""
    fault: dict[str, object] = {"code": status, "message": message, **more}
    headers: dict[str, str] = {}
    if status == 413:
        fault["retryAfter"] = "0"
        headers["Retry-After"] = "0"
    return Answer(status, {_KEYS.get(status, "computeFault"): fault}, headers)


def bare(status: int, message: str) -> Answer:
    """The other form: for what never reached a route."""
    phrase = http.HTTPStatus(status).phrase
    title = {404: "Not Found"}.get(status, phrase)
    return Answer(status, {"message": message, "code": f"{status} {phrase}", "title": title})


def unrouted() -> Answer:
    """No such path, or not with this method."""
    return bare(404, "The resource could not be found.<br /><br />\n\n\n")


def of(error: Exception) -> Answer | None:
    """The answer to one of our errors; None when it is an accident, to be logged and hidden."""
    if isinstance(error, e.CannotAttach):
        return envelope(409, str(error), missing=msgspec.to_builtins(error.missing))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return envelope(status, str(error))
    return None
