"""Programs are run by an argument list, with a time limit and a typed error; never by a shell."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from roadstead.model.errors import DriverError, Transient


class CommandFailed(DriverError):
    """A program ended with a status other than 0; carries its output's tail."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{os.path.basename(argv[0])} failed ({status}): {output.strip()[-400:]}")
        self.status = status
        self.output = output


def run(
    argv: Sequence[str],
    *,
    timeout: float = 60.0,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """The program's standard output. CommandFailed on a non-zero status, DriverError when it is
    not installed, Transient after `timeout` seconds (it was killed)."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=None if env is None else {**os.environ, **env},
            check=False,
        )
    except FileNotFoundError as error:
        raise DriverError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Transient(f"{os.path.basename(argv[0])} took longer than {timeout:g} s") from error
    if done.returncode:
        raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout
