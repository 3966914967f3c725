"""Who sends a request: the port, and the mode without any check."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from roadstead.model.errors import RoadsteadError

# The project of `auth = "none"` when the URL names none.
LOCAL_PROJECT = "roadstead"
LOCAL_USER = "roadstead"

# A WSGI environ; its values are whatever servers put there.
Environ = Mapping[str, Any]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What the request proved about its sender."""

    user_id: str
    project_id: str
    roles: tuple[str, ...] = ()


class NoIdentity(RoadsteadError):
    """401. `headers` say how to do better; `body` and its type are what the mode's clients know."""

    def __init__(
        self, headers: Mapping[str, str], *, body: str, content_type: str = "text/plain"
    ) -> None:
        super().__init__("authentication required")
        self.headers = dict(headers)
        self.body = body
        self.content_type = content_type


class AuthUnavailable(RoadsteadError):
    """503: identities cannot be checked now."""


class Authenticator(Protocol):
    def identify(self, environ: Environ, url_project: str | None) -> Identity:
        """The sender's identity. `url_project` is what the URL claims, to be proved by others.

        Raises NoIdentity, AuthUnavailable.
        """
        ...


class NoAuth:
    """Everybody is an administrator of the project in the URL: for a loopback address only, which
    whoever opens the listening socket has to make sure of."""

    def identify(self, environ: Environ, url_project: str | None) -> Identity:
        return Identity(
            user_id=LOCAL_USER, project_id=url_project or LOCAL_PROJECT, roles=("admin",)
        )
