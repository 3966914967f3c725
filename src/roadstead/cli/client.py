"""Our own API, asked over HTTP with the credentials that the stock client would use."""

import http.client
import json
import os
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, cast

from roadstead.cli.credentials import Credentials
from roadstead.cli.login import credentials
from roadstead.config.sections import Config
from roadstead.model.errors import RoadsteadError
from roadstead.model.ids import is_uuid
from roadstead.model.states import OperationState

WAIT_SECONDS = 120.0
_TIMEOUT = 60.0
_NAMESAKES = 5  # that are told
_VERSION = {"X-OpenStack-Manila-API-Version": "2.99"}


class ApiError(RoadsteadError):
    """The API refused, with this status, or did not answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class OperationFailed(RoadsteadError):
    """The operation that was waited for has ended, and was undone."""

    def __init__(self, operation: Mapping[str, Any]) -> None:
        super().__init__(f"{operation['verb']} failed: {operation['error'] or 'no reason given'}")
        self.operation = operation


class StillBusy(RoadsteadError):
    """The operation that was waited for goes on, but nobody waits any longer."""


class Client:
    """Requests as one user. Every method raises ApiError with what the API said."""

    def __init__(self, who: Credentials) -> None:
        self._who = who

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """The body of the answer; `path` is below /roadstead/v1."""
        return self._send("GET", f"/roadstead/v1{path}", query)

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        """The body of the answer."""
        return self._send("POST", f"/roadstead/v1{path}", {}, body)

    def delete(self, path: str, **query: object) -> dict[str, Any]:
        """The body of the answer."""
        return self._send("DELETE", f"/roadstead/v1{path}", query)

    def share_id(self, share: str) -> str:
        """The id of a share given by id or name. ApiError unless exactly one has the name."""
        if is_uuid(share):
            return share
        found = self._send("GET", "/v2/shares", {"all_tenants": 1, "name": share})["shares"]
        ids = [str(each["id"]) for each in found]
        if len(ids) > 1:
            more = ", …" if len(ids) > _NAMESAKES else ""
            raise ApiError(
                f"{len(ids)} shares are named {share!r}: {', '.join(ids[:_NAMESAKES])}{more}"
            )
        if not ids:
            raise ApiError(f"no share is named {share!r}")
        return ids[0]

    def wait(
        self,
        operation_id: str,
        *,
        seconds: float = WAIT_SECONDS,
        look: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """The operation, when it is done; `look` sees it each time it is asked for. OperationFailed
        with its error when it failed; StillBusy, with what it waits for, after `seconds`."""
        began = time.monotonic()
        while True:
            found: dict[str, Any] = self.get(f"/operations/{operation_id}")["operation"]
            if look is not None:
                look(found)
            if found["state"] == OperationState.DONE:
                return found
            if found["state"] == OperationState.FAILED:
                raise OperationFailed(found)
            waited = time.monotonic() - began
            if waited > seconds:
                raise StillBusy(
                    f"not finished after {seconds:g} s, but it goes on ({progress(found)}); "
                    f"`roadstead operations` tells more of {operation_id}"
                )
            time.sleep(min(1.0, 0.05 + waited / 10))

    def _send(
        self, method: str, path: str, query: Mapping[str, object], body: object = None
    ) -> dict[str, Any]:
        where = urllib.parse.urlsplit(self._who.url)
        given = {k: v for k, v in query.items() if v is not None}
        target = where.path + path + (f"?{urllib.parse.urlencode(given)}" if given else "")
        headers = {**_VERSION, **self._who.headers}
        sent = None
        if body is not None:
            sent, headers["Content-Type"] = json.dumps(body), "application/json"
        connection = _connection(where, self._who.verify)
        try:
            connection.request(method, target, body=sent, headers=headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{self._who.url} does not answer: {_why(error)}") from error
        finally:
            connection.close()
        if status == 401:
            raise ApiError(f"{_message(text, status)}: asked with {self._who.source}", status)
        if not 200 <= status < 300:
            raise ApiError(_message(text, status), status)
        try:
            return cast("dict[str, Any]", json.loads(text or "{}"))
        except ValueError as error:
            raise ApiError(f"{self._who.url} is not Roadstead: no JSON in its answer") from error


def connect(config: Config, cloud: str | None) -> Client:
    """A client with the credentials found. ConfigError when there are none."""
    return Client(credentials(config, cloud, os.environ))


def quoted(name: str) -> str:
    """As one part of a path."""
    return urllib.parse.quote(name, safe="")


def progress(operation: Mapping[str, Any]) -> str:
    """`attachment.attach: grant ok, mount ok, bind …`, with what it waits for."""
    words: list[str] = []
    for step in operation["steps"]:
        words.append(f"{step['name']} {'ok' if step['done'] else '…'}")
        if not step["done"]:
            break
    why = f" ({operation['error']})" if operation["error"] else ""
    return f"{operation['verb']}: {', '.join(words)}{why}"


def _connection(where: urllib.parse.SplitResult, verify: bool | str) -> http.client.HTTPConnection:
    """Not yet open. `verify` is a file of CAs, or whether the server's certificate is looked at."""
    host = where.hostname or ""
    if where.scheme != "https":
        return http.client.HTTPConnection(host, where.port, timeout=_TIMEOUT)
    trusted = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, where.port, timeout=_TIMEOUT, context=trusted)


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there (is `roadstead up` running?)"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"this is no HTTP ({type(error).__name__})"


def _message(text: str, status: int) -> str:
    """What an error's body says, whichever form it has; facts that are missing in lines of their
    own, each with its fix."""
    try:
        body: Any = json.loads(text)
        if "message" in body:
            return f"{str(body['message']).replace('<br />', ' ').strip()} ({status})"
        fault = next(iter(body.values()))
        message = str(fault["message"])
        missing = [
            f"  - {each['fact']}\n    fix: {each['fix']}" for each in fault.get("missing", ())
        ]
    except (ValueError, TypeError, KeyError, StopIteration, AttributeError):
        return f"{text.strip()[:200] or 'no reason given'} ({status})"
    if not missing:
        return f"{message} ({status})"
    return "\n".join([f"{message.partition(': ')[0]} ({status}):", *missing])
