"""A client without a network: what it sends and gets is what goes over the wire."""

from collections.abc import Mapping
from typing import Any

import falcon.testing

from roadstead.api.auth import Environ, Identity, NoIdentity

VERSION = "X-OpenStack-Manila-API-Version"
OWNER = "aaaaaaaa11111111aaaaaaaa11111111"
FOREIGN = "bbbbbbbb22222222bbbbbbbb22222222"


class HeaderAuth:
    """Believes what the test says in two headers."""

    def identify(self, environ: Environ, url_project: str | None) -> Identity:
        project = environ.get("HTTP_X_TEST_PROJECT")
        if not project:
            raise NoIdentity({"WWW-Authenticate": "Test"}, body="no\n")
        roles = str(environ.get("HTTP_X_TEST_ROLES", ""))
        return Identity(
            user_id=str(environ.get("HTTP_X_TEST_USER") or f"user-of-{project[:8]}"),
            project_id=project,
            roles=tuple(r for r in roles.split(",") if r),
        )


class Client:
    """Somebody with a project and roles, who speaks one microversion."""

    def __init__(self, app: Any, project: str, roles: str, minor: int = 99) -> None:
        self.app = app
        self.project = project
        self.roles = roles
        self.minor = minor

    def at(self, minor: int) -> "Client":
        return Client(self.app, self.project, self.roles, minor)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        raw: bytes | None = None,
        prefix: str = "/v2",
    ) -> falcon.testing.Result:
        sent: dict[str, str | None] = {
            VERSION: f"2.{self.minor}",
            "X-Test-Project": self.project,
            "X-Test-Roles": self.roles,
            "Content-Type": "application/json",
            **(headers or {}),
        }
        path, _, query = path.partition("?")
        more: dict[str, Any] = {"json": body} if body is not None else {}
        if raw is not None:
            more = {"body": raw}
        return falcon.testing.TestClient(self.app).simulate_request(
            method,
            f"{prefix}{path}",
            query_string=query,
            headers={k: v for k, v in sent.items() if v is not None},
            host="cloud.test",
            **more,
        )

    def get(self, path: str, **more: Any) -> falcon.testing.Result:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> falcon.testing.Result:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> falcon.testing.Result:
        return self.call("PUT", path, body, **more)

    def delete(self, path: str, **more: Any) -> falcon.testing.Result:
        return self.call("DELETE", path, **more)

    def share(self, **fields: Any) -> dict[str, Any]:
        """A new share, available by now."""
        wanted = {"share_proto": "NFS", "size": 1, **fields}
        made = self.at(99).post("/shares", {"share": wanted})
        assert made.status_code == 200, made.text
        return self.at(99).get(f"/shares/{made.json['share']['id']}").json["share"]

    def rule(self, share_id: str, access_to: str = "192.0.2.7", **fields: Any) -> dict[str, Any]:
        """A new access rule, in force by now."""
        wanted = {"access_type": "ip", "access_to": access_to, **fields}
        made = self.at(99).post(f"/shares/{share_id}/action", {"allow_access": wanted})
        assert made.status_code == 200, made.text
        return made.json["access"]


def key_of(result: falcon.testing.Result) -> str:
    """The envelope's key, after a check that it is one."""
    ((key, fault),) = result.json.items()
    assert fault["code"] == result.status_code
    assert isinstance(fault["message"], str)
    return key
