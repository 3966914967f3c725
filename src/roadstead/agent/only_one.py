"""One agent per host, by a lock file: two would run the same operation under one name."""

import contextlib
import fcntl
import os
from collections.abc import Generator

from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError


@contextlib.contextmanager
def only_one(config: Config) -> Generator[None]:
    """We are this host's agent. ConfigError when another one is alive."""
    path = os.path.join(config.run_directory, f"agent-{config.host}.lock")
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another agent for host {config.host} is running") from error
        yield
