"""Availability zones."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views import availability_zones as view
from roadstead.service import availability_zones


def index(call: Call) -> dict[str, Any]:
    return view.many(availability_zones.find_all(call.service))
