"""/shares: create, list, show, update, delete, and the actions that change a share."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import shares as schema
from roadstead.api.schemas import values
from roadstead.api.views import shares as view
from roadstead.api.views.common import with_next
from roadstead.model.shares import Share
from roadstead.service import placement, shares


def _paths(call: Call, found: list[Share]) -> dict[str, list[str]]:
    if call.minor > view.LAST_WITH_PATHS or not found:
        return {}
    return shares.legacy_paths(call.service, found)


def _one(call: Call, share: Share) -> dict[str, Any]:
    return {"share": view.details(call, [share], _paths(call, [share]))[0]}


def create(call: Call) -> dict[str, Any]:
    return _one(call, placement.create(call.service, call.caller, schema.create(call)))


def show(call: Call, share_id: str) -> dict[str, Any]:
    return _one(call, shares.get(call.service, call.caller, share_id))


def summary(call: Call) -> dict[str, Any]:
    asked = schema.listing(call, detail=False)
    found: list[tuple[str, str | None]] = []
    if not asked.empty:
        found = shares.find_names(
            call.service, call.caller, asked.wanted, asked.page, all_projects=asked.all_projects
        )
    return _listed(call, asked, view.summaries(call, found))


def detail(call: Call) -> dict[str, Any]:
    asked = schema.listing(call, detail=True)
    found: list[Share] = []
    if not asked.empty:
        found = shares.find_all(
            call.service, call.caller, asked.wanted, asked.page, all_projects=asked.all_projects
        )
    return _listed(call, asked, view.details(call, found, _paths(call, found)))


def _listed(call: Call, asked: schema.Listing, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    answer: dict[str, Any] = {"shares": bodies}
    if asked.with_count:
        answer["count"] = 0
        if not asked.nothing:
            answer["count"] = shares.count(
                call.service, call.caller, asked.wanted, all_projects=asked.all_projects
            )
    return with_next(call, answer, asked.page, "shares_links", bodies)


def update(call: Call, share_id: str) -> dict[str, Any]:
    return _one(call, shares.update(call.service, call.caller, share_id, **schema.update(call)))


def delete(call: Call, share_id: str) -> None:
    shares.delete(call.service, call.caller, share_id)


def extend(call: Call, share_id: str) -> None:
    new_size, force = schema.extend(call)
    shares.extend(call.service, call.caller, share_id, new_size, force=force)


def shrink(call: Call, share_id: str) -> None:
    shares.shrink(call.service, call.caller, share_id, schema.shrink(call))


def reset_status(call: Call, share_id: str) -> None:
    shares.reset_status(call.service, call.caller, share_id, schema.status(call))


def reset_task_state(call: Call, share_id: str) -> None:
    """The stock client sends null with every `share set`: for whoever may update the share that
    is nothing to refuse. Anything else is an administrator's."""
    if not schema.is_no_task_state(call):
        call.caller.require("share:reset_task_state")
    schema.no_task_state(call)
    shares.update(call.service, call.caller, share_id)  # NotFound, Forbidden


def force_delete(call: Call, share_id: str) -> None:
    values.no_argument(call.body, call.action())
    shares.force_delete(call.service, call.caller, share_id)
