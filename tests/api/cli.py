"""The `openstack` command as one user types it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Self

import msgspec


class Done(msgspec.Struct, frozen=True):
    """A command that has ended."""

    status: int
    out: str
    err: str


class OpenStackClient:
    """The stock client, loaded once: see warm_openstack.py."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.api.warm_openstack"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, argv: list[str], environ: Mapping[str, str]) -> Done:
        """The command has run with exactly these OS_ variables."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"argv": argv, "environ": dict(environ)}) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))


class Cli:
    """`openstack` with one user's variables; `version` is what --os-share-api-version gets."""

    def __init__(
        self, client: OpenStackClient, environ: Mapping[str, str], version: str | None = None
    ) -> None:
        self._client = client
        self._environ = dict(environ)
        self._options = ["--os-share-api-version", version] if version else []

    def at(self, version: str) -> "Cli":
        """The same user, asking for that microversion."""
        return Cli(self._client, self._environ, version)

    def run(self, *argv: str) -> Done:
        return self._client.run([*self._options, *argv], self._environ)

    def __call__(self, *argv: str) -> str:
        """What it printed. AssertionError when it failed or complained."""
        done = self.run(*argv)
        assert done.status == 0, f"{' '.join(argv)}: {done.status}: {done.out}{done.err}"
        return done.out

    def json(self, *argv: str) -> Any:
        """What it printed with -f json."""
        return json.loads(self(*argv, "-f", "json"))

    def refused(self, *argv: str) -> str:
        """Its complaint. AssertionError when it succeeded, or crashed without being told why."""
        done = self.run(*argv)
        assert done.status != 0, f"{' '.join(argv)}: succeeded: {done.out}"
        assert "Traceback" not in done.err, done.err
        return done.err
