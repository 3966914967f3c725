"""Our own API, asked over HTTP with the credentials that the stock client would use."""

import base64
import http.client
import json
import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from roadstead.config import Config
from roadstead.model.errors import ConfigError, RoadsteadError
from roadstead.model.ids import is_uuid

_ADMIN_CLOUD = "roadstead-admin"
_TIMEOUT = 60.0
_VERSION = {"X-OpenStack-Manila-API-Version": "2.99"}


class ApiError(RoadsteadError):
    """The API refused, with this status, or did not answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API is, without /v2, and the header that says who asks."""

    url: str
    headers: Mapping[str, str]


def credentials(config: Config, cloud: str | None, environ: Mapping[str, str]) -> Credentials:
    """Those of the cloud named here or in OS_CLOUD; else of OS_ENDPOINT, OS_USERNAME, …; else of
    the administrator in <state>/clouds.yaml; else none at all, for auth = "none". ConfigError when
    what is named is not there, or of a kind that is not understood here."""
    cloud = cloud or environ.get("OS_CLOUD")
    file = Path(environ.get("OS_CLIENT_CONFIG_FILE") or Path(config.state_directory, "clouds.yaml"))
    if cloud is None and environ.get("OS_ENDPOINT"):
        names = ("endpoint", "username", "password", "token")
        return _made(
            environ.get("OS_AUTH_TYPE", "http_basic"),
            {name: environ.get(f"OS_{name.upper()}", "") for name in names},
        )
    if cloud is None and config.api.auth == "none":
        from roadstead.bootstrap import endpoint

        return _made("none", {"endpoint": endpoint(config)})
    entry = _entry(file, cloud or _ADMIN_CLOUD)
    return _made(str(entry.get("auth_type", "password")), entry.get("auth") or {})


def _entry(file: Path, cloud: str) -> dict[str, Any]:
    import yaml

    try:
        clouds: Any = yaml.safe_load(file.read_text())["clouds"]
        return cast("dict[str, Any]", clouds[cloud])
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from error
    except (KeyError, TypeError) as error:
        raise ConfigError(f"there is no cloud {cloud!r} in {file}") from error


def _made(kind: str, auth: Mapping[str, Any]) -> Credentials:
    url = str(auth.get("endpoint") or "")
    if not url.startswith(("http://", "https://")):
        raise ConfigError("the credentials name no endpoint; OS_ENDPOINT=http://…/v2 would")
    headers: dict[str, str] = {}
    if kind == "http_basic":
        pair = f"{auth.get('username', '')}:{auth.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    elif kind in ("token", "v3token", "admin_token"):
        headers["X-Auth-Token"] = str(auth.get("token", ""))
    elif kind != "none":
        raise ConfigError(
            f"auth type {kind} is not understood here; set OS_AUTH_TYPE=token, OS_ENDPOINT and "
            "OS_TOKEN (`openstack token issue`)"
        )
    return Credentials(url=url.rstrip("/").partition("/v2")[0], headers=headers)


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
        if len(found) != 1:
            count = "no share is" if not found else f"{len(found)} shares are"
            raise ApiError(f"{count} named {share!r}")
        return str(found[0]["id"])

    def _send(
        self, method: str, path: str, query: Mapping[str, object], body: object = None
    ) -> dict[str, Any]:
        where = urllib.parse.urlsplit(self._who.url)
        https = where.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = kind(where.hostname or "", where.port, timeout=_TIMEOUT)
        given = {k: v for k, v in query.items() if v is not None}
        target = where.path + path + (f"?{urllib.parse.urlencode(given)}" if given else "")
        headers = {**_VERSION, **self._who.headers}
        sent = None
        if body is not None:
            sent, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, target, body=sent, headers=headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{self._who.url} does not answer: {error}") from error
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise ApiError(_message(text, status), status)
        return cast("dict[str, Any]", json.loads(text or "{}"))


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


def connect(config: Config, cloud: str | None) -> Client:
    """A client with the credentials found. ConfigError when there are none."""
    return Client(credentials(config, cloud, os.environ))
