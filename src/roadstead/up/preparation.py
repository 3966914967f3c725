"""What must be true before the agent and the API start: directories, users file, database.

Checks of roads, bootstrap and migration run in forked children, so that the supervisor never holds
what they load.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from roadstead.config import load as c
from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError, RoadsteadError
from roadstead.process.privileges import Account, account_of, can_read, can_run_us
from roadstead.up.child import Child

# Of the share type made at the first start: what the image pool can do, on the direct road.
_DEFAULT_SPECS = {
    "driver_handles_share_servers": "False",
    "snapshot_support": "True",
    "create_share_from_snapshot_support": "True",
    "revert_to_snapshot_support": "True",
}


def can_have_its_roads(config: Config) -> bool:
    """False, and said which key is wrong, when a backend cannot have its roads."""

    def check() -> None:
        from roadstead.roads.registry import check

        check(config)

    sys.stderr.flush()
    return os.waitpid(_forked(check), 0)[1] == 0


def prepare(config: Config, listener_fd: int) -> list[Child]:
    """Everything is in place; the two children to start. ConfigError says what is not."""
    account = account_of(config.api.user)
    make_directories(config, account)
    effective = Path(config.run_directory) / "config.json"
    c.write_effective(config, effective, gid=account.gid)
    # An interpreter below /root cannot be started by others; the API then changes its user
    # itself, when all its code is loaded.
    early = can_run_us(account)

    def bootstrap() -> None:
        from roadstead.store.secrets import ensure_key_file
        from roadstead.up.bootstrap import bootstrap as ensure

        ensure(config, account)
        ensure_key_file(Path(config.secrets_file), gid=account.gid)

    def migrate() -> None:
        os.umask(0o077)
        if early:
            account.drop()
        _migrate(config)

    _in_children({"first start": bootstrap, "database": migrate})
    return [
        Child("agent", [*_python("roadstead.agent"), "--config", str(effective)]),
        Child(
            "API",
            [*_python("roadstead.api.server"), "--config", str(effective),
             "--fd", str(listener_fd)],
            account=account if early else None,
            umask=0o077,
            keep_fds=(listener_fd,),
        ),
    ]  # fmt: skip


def make_directories(config: Config, account: Account) -> None:
    """State and run directory are there, with owners and modes: the API's user writes the
    database and nothing else, and reads what is for its group."""
    state, run = Path(config.state_directory), Path(config.run_directory)
    ours = (os.getuid(), os.getgid())
    _directory(state, 0o755, ours)
    _directory(run, 0o755, ours)
    _directory(state / "etc", 0o750, (ours[0], account.gid))
    _directory(state / "db", 0o700, (account.uid, account.gid))
    if not can_read(account, state / "db"):
        raise ConfigError(f"state_directory: user {account.name} cannot reach {state}")
    database = sqlite_file(config.database)
    if database is not None and database.parent == state / "db":
        # Made here, by its owner: SQLite gives the files beside it the owner of this one, also
        # when root makes them (os_unix.c, findCreateFileMode).
        with contextlib.suppress(FileExistsError):
            os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            os.chown(database, account.uid, account.gid, follow_symlinks=False)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for other databases."""
    scheme, separator, path = url.partition(":///")
    return Path(path) if separator and scheme.startswith("sqlite") else None


def _migrate(config: Config) -> None:
    from roadstead.engine import dbos
    from roadstead.store import share_types
    from roadstead.store.db import Database
    from roadstead.store.migrate import upgrade

    upgrade(config.database)
    dbos.prepare(config.database)
    db = Database(config.database)
    with db.write() as tx:
        share_types.ensure_default(tx, config.default_share_type, _DEFAULT_SPECS)
    db.close()


def _directory(path: Path, mode: int, owner: tuple[int, int]) -> None:
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)
    path.chmod(mode)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _in_children(tasks: dict[str, Callable[[], None]]) -> None:
    """All are done, each in a process of its own, at the same time. ConfigError names the one
    that failed; what went wrong it has printed."""
    sys.stderr.flush()
    running = {_forked(task): name for name, task in tasks.items()}
    failed = [name for pid, name in running.items() if os.waitpid(pid, 0)[1] != 0]
    if failed:
        raise ConfigError(f"could not prepare: {', '.join(failed)}")


def _forked(task: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        task()
        status = 0
    except RoadsteadError as error:
        sys.stderr.write(f"roadstead: {error}\n")
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
