"""What is seen of a gateway while it works."""

from datetime import datetime

import msgspec

from roadstead.model.states import GatewayHealth

OK, UNREACHABLE, BROKEN = GatewayHealth.OK, GatewayHealth.UNREACHABLE, GatewayHealth.BROKEN


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway is now; the counts are since `started_at`."""

    health: str  # OK | UNREACHABLE | BROKEN
    detail: str = ""
    sessions: int = 0  # connections that pass it
    bytes_in: int = 0  # from tenants
    bytes_out: int = 0  # to tenants
    started_at: datetime | None = None
