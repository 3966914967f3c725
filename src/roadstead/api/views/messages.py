"""User messages on the wire (wire.md#messages)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import linker, when
from roadstead.model.messages import Message


def message(call: Call, message: Message) -> dict[str, Any]:
    """One message."""
    return {
        "id": message.id,
        "project_id": message.project_id,
        "action_id": message.action_id,
        "detail_id": message.detail_id,
        "message_level": message.level,
        "created_at": when(message.created_at),
        "expires_at": when(message.expires_at),
        "request_id": message.request_id,
        "resource_type": message.resource_type,
        "resource_id": message.resource_id,
        "user_message": message.user_message,
        "links": linker(call, "messages")(message.id),
    }
