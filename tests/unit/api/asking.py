"""The same request by people of several roles and projects, in one line."""

from typing import Any

from tests.unit.api.client import FOREIGN, OWNER, Client

OURS, THEIRS = OWNER, FOREIGN
WHO = {
    "reader": (OURS, "reader"),
    "member": (OURS, "member,reader"),
    "nobody": (OURS, ""),
    "stranger": (THEIRS, "member,reader"),
    "admin": (THEIRS, "admin,member,reader"),
}


class Asker:
    """`ask("member", "GET", "/types")` gives the answer's status and body."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(
        self, who: str, method: str, path: str, body: Any = None, *, v: str = "2.99"
    ) -> tuple[int, Any]:
        client = Client(self._app, *WHO[who], minor=int(v.removeprefix("2.")))
        answer = client.call(method, path, body)
        return answer.status_code, answer.json if answer.content else None

    def ok(self, *args: Any, v: str = "2.99") -> Any:
        """The body of an answer that must be a success."""
        status, body = self(*args, v=v)
        assert 200 <= status < 300, body
        return body

    def refused(self, status: int, *args: Any, v: str = "2.99") -> None:
        """The answer must be this error, in the common envelope."""
        got, body = self(*args, v=v)
        assert got == status, body
        (fault,) = body.values()
        assert fault["code"] == status
        assert fault["message"]
