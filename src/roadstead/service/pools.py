"""Pools, for administrators."""

import re
from collections.abc import Mapping

import msgspec

from roadstead.model.errors import BadRequest
from roadstead.model.shares import Pool, ShareType
from roadstead.scheduler import filters
from roadstead.service.context import Caller, Service
from roadstead.store import pools as store
from roadstead.store import share_types


class PoolFilter(msgspec.Struct, frozen=True, kw_only=True):
    """`patterns`: regular expressions by attribute (name, host, backend, pool), each matched at
    the start of the value. `share_type`: name or id of one whose specs the pool satisfies."""

    patterns: Mapping[str, str] = {}
    share_type: str | None = None


def find_all(service: Service, caller: Caller, wanted: PoolFilter) -> list[Pool]:
    """The pools that match. BadRequest: a pattern is none, or no such share type."""
    patterns = {name: _pattern(text) for name, text in wanted.patterns.items()}
    with service.db.read() as tx:
        found = store.find_all(tx)
        share_type = None
        if wanted.share_type is not None:
            share_type = share_types.find(tx, caller.scope, wanted.share_type)
            if share_type is None:
                raise BadRequest(f"share type {wanted.share_type} could not be found")
    return [
        pool
        for pool in found
        if all(p.match(getattr(pool, name)) for name, p in patterns.items())
        and (share_type is None or _suits(pool, share_type))
    ]


def _pattern(text: str) -> re.Pattern[str]:
    try:
        if len(text) > 255:
            raise BadRequest("a pattern may have 255 characters")
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadRequest(f"{text!r} is not a regular expression") from error


def _suits(pool: Pool, share_type: ShareType) -> bool:
    request = filters.Request(size_gib=0, proto="", share_type=share_type)
    return not any(check(pool, request) for check in (filters.driver, filters.capabilities))
