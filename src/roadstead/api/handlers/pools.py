"""Pools."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import pools as schema
from roadstead.api.views import pools as view
from roadstead.model.shares import Pool
from roadstead.service import pools


def _wanted(call: Call) -> list[Pool]:
    wanted = schema.listed(call.query, call.minor)
    return [] if wanted is None else pools.find_all(call.service, call.caller, wanted)


def index(call: Call) -> dict[str, Any]:
    return {"pools": [view.summary(pool) for pool in _wanted(call)]}


def detail(call: Call) -> dict[str, Any]:
    return {"pools": [view.detail(pool) for pool in _wanted(call)]}
