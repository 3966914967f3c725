"""What a new share is asked to be."""

from collections.abc import Mapping
from typing import Any

import msgspec


class NewShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share as asked for; `share_type` is a name or an id, None = the default type."""

    proto: str
    size_gib: int
    name: str | None = None
    description: str | None = None
    share_type: str | None = None
    share_network_id: str | None = None
    snapshot_id: str | None = None
    availability_zone: str | None = None
    metadata: Mapping[str, str] = {}
    is_public: bool = False
    scheduler_hints: Mapping[str, Any] | None = None
    mount_point_name: str | None = None
