"""A thin HTTP client for tests: says what it got, waits for states."""

from collections.abc import Sequence
from typing import Any

import requests

from tests.waiting import until

WAIT_SECONDS = 60.0


class Refused(AssertionError):
    """An answer that was not wanted."""

    def __init__(self, method: str, path: str, response: requests.Response) -> None:
        super().__init__(f"{method} {path}: {response.status_code}: {response.text}")
        self.status = response.status_code
        self.text = response.text


class Api:
    """Requests as one user; `version` is the microversion sent."""

    def __init__(
        self, url: str, user: str | None = None, password: str = "", *, version: str = "2.99"
    ) -> None:
        self.url = url
        self.version = version
        self.session = requests.Session()
        self.session.trust_env = False
        if user is not None:
            self.session.auth = (user, password)
        self.session.headers["X-OpenStack-Manila-API-Version"] = version

    def healthy(self) -> bool:
        """The API answers."""
        try:
            return self.session.get(f"{self.url}/healthcheck", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """The response, whatever it says; `path` is below /v2."""
        return self.session.request(method, f"{self.url}/v2{path}", timeout=60, **options)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """The decoded body of a 2xx response, None when empty. Refused otherwise."""
        response = self.send(method, path, json=body, params=params or None)
        if not 200 <= response.status_code < 300:
            raise Refused(method, path, response)
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, **params)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    # --- shares -------------------------------------------------------------------------------

    def create_share(self, size: int = 1, *, wait: bool = True, **fields: Any) -> dict[str, Any]:
        """A new share, available unless not waited for."""
        body = {"share": {"share_proto": "NFS", "size": size, **fields}}
        share = self.post("/shares", body)["share"]
        return self.wait_share(share["id"]) if wait else share

    def share(self, share_id: str) -> dict[str, Any]:
        return self.get(f"/shares/{share_id}")["share"]

    def wait_share(
        self,
        share_id: str,
        wanted: Sequence[str] = ("available",),
        *,
        seconds: float = WAIT_SECONDS,
    ) -> dict[str, Any]:
        """The share when its status is wanted. AssertionError when it ends in another error state
        or takes too long."""

        def look() -> dict[str, Any] | None:
            share = self.share(share_id)
            if share["status"] in wanted:
                return share
            final = share["status"] == "error" or share["status"].endswith("_error")
            assert not final, f"share {share_id} is {share['status']}: {self.why(share_id)}"
            return None

        return until(
            look, f"share {share_id} is one of {wanted}", seconds=seconds,
            why=lambda: (self.share(share_id)["status"], self.why(share_id)),
        )  # fmt: skip

    def why(self, share_id: str) -> list[str]:
        """What its messages and operations say that went wrong, the newest first."""
        url = f"{self.url}/roadstead/v1/operations"
        found = self.session.get(url, params={"share_id": share_id}, timeout=60).json()
        told = self.get("/messages", resource_id=share_id)["messages"]
        said = [f"{o['verb']} {o['state']}: {o['error']}" for o in found.get("operations", [])]
        return [*(message["user_message"] for message in told), *said]

    def act(self, share_id: str, action: str, argument: Any = None) -> Any:
        return self.post(f"/shares/{share_id}/action", {action: argument})

    def delete_share(self, share_id: str, *, wait: bool = True) -> None:
        """The share is gone, or going."""
        self.call("DELETE", f"/shares/{share_id}")
        if wait:
            self.wait_gone(f"/shares/{share_id}")

    def wait_gone(self, path: str, *, seconds: float = WAIT_SECONDS) -> None:
        """GET answers 404."""
        until(
            lambda: self.send("GET", path).status_code == 404, f"{path} is gone", seconds=seconds,
            why=lambda: self.send("GET", path).text,
        )  # fmt: skip

    def paths(self, share_id: str) -> list[str]:
        """What clients mount, IPv4 and IPv6."""
        found = self.get(f"/shares/{share_id}/export_locations")["export_locations"]
        return [location["path"] for location in found]

    # --- rules --------------------------------------------------------------------------------

    def allow(
        self, share_id: str, to: str, level: str = "rw", *, wait: bool = True
    ) -> dict[str, Any]:
        """A new rule, active unless not waited for."""
        argument = {"access_type": "ip", "access_to": to, "access_level": level}
        rule = self.act(share_id, "allow_access", argument)["access"]
        return self.wait_rule(rule["id"]) if wait else rule

    def rules(self, share_id: str) -> list[dict[str, Any]]:
        return self.get("/share-access-rules", share_id=share_id)["access_list"]

    def wait_rule(
        self, rule_id: str, wanted: Sequence[str] = ("active",), *, seconds: float = WAIT_SECONDS
    ) -> dict[str, Any]:
        """The rule when its state is wanted."""

        def look() -> dict[str, Any] | None:
            rule = self.get(f"/share-access-rules/{rule_id}")["access"]
            if rule["state"] in wanted:
                return rule
            assert rule["state"] != "error", f"rule {rule_id} is in error, not {wanted}"
            return None

        return until(look, f"rule {rule_id} is one of {wanted}", seconds=seconds)

    def deny(self, share_id: str, rule_id: str, *, wait: bool = True) -> None:
        """The rule is gone, or going."""
        self.act(share_id, "deny_access", {"access_id": rule_id})
        if wait:
            self.wait_gone(f"/share-access-rules/{rule_id}")
