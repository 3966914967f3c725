"""Whether what is here goes by the names that the configuration has, and what is in the trash."""

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

from roadstead.config import identity
from roadstead.config.sections import DEFAULT_ROAD as _ROAD
from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers.base.pool import Pool
from roadstead.drivers.host.needs import MISSING, OK, WARN, Check
from roadstead.model.errors import ConfigError
from roadstead.model.ids import pool_name
from roadstead.model.world import Mark

_MOST = 20  # shares in the trash that are listed


def names(config: Config) -> Iterator[Check]:
    """The host's name, backends that shares name, and shares that no row names."""
    yield _host(config)
    yield from _backends(config)
    yield from _trash(config)


def _host(config: Config) -> Check:
    name = "host name"
    try:
        identity.check(config)
    except identity.AnotherHost as error:
        found = f"{error.was} began it, {config.host} is configured"
        fix = f'set host = "{error.was}", also if the machine was renamed'
        return Check(road=_ROAD, name=name, state=MISSING, found=found, fix=fix)
    except ConfigError as error:
        return Check(road=_ROAD, name=name, state=WARN, found=str(error), fix="run this as root")
    return Check(road=_ROAD, name=name, state=OK, found=config.host)


def _backends(config: Config) -> Iterator[Check]:
    """One for each pool that has shares of this host and is not configured."""
    from roadstead.ops.names import fix_for, unserved
    from roadstead.store.db import Database
    from roadstead.up.preparation import sqlite_file

    file = sqlite_file(config.database)
    pools = {pool_name(config.host, n, b.pool): b for n, b in config.backends.items()}
    try:
        if file is not None and not file.exists():
            return
        db = Database(config.database)
        try:
            found = unserved(db, config.host, pools)
        finally:
            db.close()
    except Exception as error:  # whatever the database's library says of one that does not answer
        said = f"not asked: {type(error).__name__}"
        fix = "run this as root" if isinstance(error, PermissionError) else "look at it"
        yield Check(road=_ROAD, name="shares' backends", state=WARN, found=said, fix=fix)
        return
    for pool, count in found.items():
        yield Check(
            road=_ROAD,
            name="shares' backends",
            state=MISSING,
            found=f"{count} in {pool}, which is not configured",
            fix=fix_for(pool),
        )


def _trash(config: Config) -> Iterator[Check]:
    """One for each share that was set aside, and is removed for good on that day."""
    from roadstead.agent.backends import make_backends

    try:
        backends = make_backends(config)
    except Exception:  # what is wrong the other checks tell, or the agent, when it starts
        return
    for backend in backends.values():
        if _is_here(config.backends[backend.name]):
            for mark in sorted(_kept(backend.pool), key=lambda m: str(m.facts["since"]))[:_MOST]:
                yield _in_trash(config, backend.name, mark)


def _is_here(section: BackendConfig) -> bool:
    """Not to be mounted first: a doctor changes nothing."""
    return not section.filer.mount or os.path.ismount(Path(section.filer.tree))


def _kept(pool: Pool) -> list[Mark]:
    try:
        return [m for m in pool.inventory() if m.kind == "trash" and "since" in m.facts]
    except Exception:  # not ready: its agent has not run yet, and a driver may say so anyhow
        return []


def _in_trash(config: Config, backend: str, mark: Mark) -> Check:
    since = datetime.datetime.fromtimestamp(float(str(mark.facts["since"])), datetime.UTC)
    until = since + datetime.timedelta(days=config.trash_days)
    return Check(
        road=_ROAD,
        name=f"trash ({backend})",
        state=WARN,
        found=f"{mark.facts['path']}, until {until:%F %R} UTC",
        fix="no row names it; to keep it see docs/operations.md, Trash",
    )
