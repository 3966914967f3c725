"""Availability zones on the wire (wire.md#availability-zones)."""

from collections.abc import Iterable
from typing import Any

from roadstead.api.views.common import when
from roadstead.model.services import Zone


def many(zones: Iterable[Zone]) -> dict[str, Any]:
    return {
        "availability_zones": [
            {
                "id": zone.id,
                "name": zone.name,
                "created_at": when(zone.created_at),
                "updated_at": when(zone.updated_at),
            }
            for zone in zones
        ]
    }
