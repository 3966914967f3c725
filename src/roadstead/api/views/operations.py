"""Operations and drift."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.model.operations import Journalled
from roadstead.service import operations


def operation(call: Call, found: Journalled) -> dict[str, Any]:
    """One operation; on which host it runs is for administrators."""
    o = found.operation
    body: dict[str, Any] = {
        "id": o.id,
        "verb": o.verb,
        "resource_type": o.resource_type,
        "resource_id": o.resource_id,
        "share_id": found.share_id or None,
        "project_id": o.project_id,
        "user_id": o.user_id,
        "request_id": o.request_id,
        "state": o.state,
        "steps": [{"name": n, "done": done} for n, done in operations.steps(found).items()],
        "steps_done": found.steps_done,
        "attempts": o.attempts,
        "not_before": when(o.not_before),
        "error": o.error,
        "created_at": when(o.created_at),
        "updated_at": when(o.updated_at),
    }
    if call.caller.is_admin:
        body["host"] = o.host
    return body


def drift(found: dict[str, Any]) -> dict[str, Any]:
    """One finding."""
    return {
        **found,
        "found_at": when(found["found_at"]),
        "repaired_at": when(found["repaired_at"]),
    }
