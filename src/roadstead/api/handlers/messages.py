"""User messages."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import messages as schema
from roadstead.api.views import messages as view
from roadstead.api.views.common import with_next
from roadstead.service import messages


def index(call: Call) -> dict[str, Any]:
    page = schema.page(call.query)
    found = messages.find_all(call.service, call.caller, schema.listed(call), page)
    body = {"messages": [view.message(call, message) for message in found]}
    return with_next(call, body, page, "messages_links", body["messages"])


def show(call: Call, message_id: str) -> dict[str, Any]:
    found = messages.get(call.service, call.caller, message_id)
    return {"message": view.message(call, found)}


def delete(call: Call, message_id: str) -> None:
    messages.delete(call.service, call.caller, message_id)
