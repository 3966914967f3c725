"""The service's processes."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import services as schema
from roadstead.api.views import services as view
from roadstead.service import services


def index(call: Call) -> dict[str, Any]:
    found = services.find_all(call.service, schema.listed(call.query, call.minor))
    return {"services": [view.service(record, call.minor) for record in found]}


def switch(call: Call, verb: str) -> dict[str, Any]:
    wanted = schema.switch(call.body, verb, call.minor)
    services.set_disabled(
        call.service,
        host=wanted.host,
        binary=wanted.binary,
        disabled=wanted.disabled,
        reason=wanted.reason,
    )
    return view.switched(
        host=wanted.host,
        binary=wanted.binary,
        disabled=wanted.disabled,
        reason=wanted.reason,
        minor=call.minor,
    )


def ensure_shares(call: Call) -> None:
    services.ensure_shares(call.service, schema.ensured(call.body))
