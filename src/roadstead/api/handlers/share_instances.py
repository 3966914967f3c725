"""/share_instances: the copies behind the shares, for administrators."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import shares as schema
from roadstead.api.schemas import values
from roadstead.api.schemas.share_instances import listing
from roadstead.api.views import share_instances as view
from roadstead.api.views.shares import LAST_WITH_PATHS
from roadstead.model.queries import Page, ShareFilter
from roadstead.model.shares import ShareInstance
from roadstead.service import shares


def _bodies(call: Call, found: list[ShareInstance]) -> list[dict[str, Any]]:
    paths: dict[str, list[str]] = {}
    if call.minor <= LAST_WITH_PATHS:
        paths = shares.legacy_paths(call.service, found)
    return view.details(call, found, paths)


def index(call: Call) -> dict[str, Any]:
    wanted = listing(call)
    found: list[ShareInstance] = []
    if wanted is not None:
        found = shares.instances(call.service, call.caller, None)
        if wanted != ShareFilter():
            names = shares.find_names(call.service, call.caller, wanted, Page(), all_projects=True)
            matching = {share_id for share_id, _ in names}
            found = [i for i in found if i.share_id in matching]
    return {"share_instances": _bodies(call, found)}


def of_share(call: Call, share_id: str) -> dict[str, Any]:
    found = shares.instances(call.service, call.caller, share_id)
    return {"share_instances": _bodies(call, found)}


def show(call: Call, instance_id: str) -> dict[str, Any]:
    found = shares.get_instance(call.service, call.caller, instance_id)
    return {"share_instance": _bodies(call, [found])[0]}


def reset_status(call: Call, instance_id: str) -> None:
    shares.reset_instance_status(call.service, call.caller, instance_id, schema.status(call))


def force_delete(call: Call, instance_id: str) -> None:
    values.no_argument(call.body, call.action())
    shares.force_delete_instance(call.service, call.caller, instance_id)
