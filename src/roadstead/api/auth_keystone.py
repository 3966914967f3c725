"""Identities from Keystone, through keystonemiddleware."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from roadstead.api.auth import AuthUnavailable, Environ, Identity, NoIdentity

_DONE = "roadstead.token_checked"
_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _MakeMiddleware(Protocol):
    def __call__(self, app: _Wsgi, conf: Mapping[str, str]) -> _Wsgi: ...


class KeystoneAuth:
    """Checks X-Auth-Token, and X-Service-Token beside it, which lets a service act with a user
    token that has expired meanwhile. The middleware removes any identity header a client forges."""

    def __init__(self, settings: Mapping[str, str], *, make: _MakeMiddleware | None = None) -> None:
        """`settings` are keystonemiddleware's options; `make` stands in for it in tests."""
        if make is None:
            from keystonemiddleware import auth_token  # pyright: ignore[reportMissingTypeStubs]

            make = cast("_MakeMiddleware", auth_token.AuthProtocol)
        self._challenge = settings.get("www_authenticate_uri") or settings.get("auth_url", "")
        self._check = make(
            _after_check,
            {
                "service_token_roles_required": "true",
                "service_token_roles": "service",
                **settings,
                # Or the middleware would not tell a bad token from a Keystone that is away.
                "delay_auth_decision": "false",
            },
        )

    def identify(self, environ: Environ, url_project: str | None) -> Identity:
        # A copy: what the middleware adds must never look like what a client sent.
        seen = dict(environ)
        seen.pop(_DONE, None)
        status = _Status()
        list(self._check(seen, status))
        if not seen.get(_DONE):
            if status.code == 401:
                raise self._refusal()
            raise AuthUnavailable("tokens cannot be checked now")
        project = str(seen.get("HTTP_X_PROJECT_ID") or "")
        if seen.get("HTTP_X_IDENTITY_STATUS") != "Confirmed" or not project:
            raise self._refusal()
        return Identity(
            user_id=str(seen.get("HTTP_X_USER_ID") or ""),
            project_id=project,
            roles=tuple(r.strip() for r in str(seen.get("HTTP_X_ROLES") or "").split(",") if r),
        )

    def _refusal(self) -> NoIdentity:
        error = {
            "message": "The request you have made requires authentication.",
            "code": 401,
            "title": "Unauthorized",
        }
        return NoIdentity(
            {"WWW-Authenticate": f'Keystone uri="{self._challenge}"'},
            body=json.dumps({"error": error}),
            content_type="application/json",
        )


def _after_check(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Behind the middleware: reached only when it has found the token good."""
    environ[_DONE] = True
    start_response("200 OK", [])
    return []


class _Status:
    """A start_response that keeps the status: 401 for a bad token, 503 when Keystone is away."""

    def __init__(self) -> None:
        self.code = 0

    def __call__(
        self, status: str, headers: object, error: object = None
    ) -> Callable[[bytes], object]:
        self.code = int(status.split()[0])
        return len
