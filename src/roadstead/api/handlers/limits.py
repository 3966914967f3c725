"""The limits of the caller's project."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views import limits as view
from roadstead.service import quotas


def index(call: Call) -> dict[str, Any]:
    return view.limits(quotas.own(call.service, call.caller), call.minor)
