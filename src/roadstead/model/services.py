"""The service's own processes and the zones they live in."""

import datetime

import msgspec

from roadstead.model.states import ServiceState, ServiceStatus


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """An availability zone."""

    id: str
    name: str
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None


class ServiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A process: `host` is the machine's name, `host@backend` for manila-share."""

    id: int
    binary: str
    host: str
    availability_zone: str
    disabled: bool = False
    disabled_reason: str | None = None
    heartbeat_at: datetime.datetime | None = None
    up: bool = False
    ensuring: bool = False  # its agent was asked to look at all its shares, and has not done so

    @property
    def state(self) -> ServiceState:
        return ServiceState.UP if self.up else ServiceState.DOWN

    @property
    def status(self) -> ServiceStatus:
        return ServiceStatus.DISABLED if self.disabled else ServiceStatus.ENABLED
