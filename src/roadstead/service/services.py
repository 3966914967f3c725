"""The service's own processes, for administrators."""

import msgspec

from roadstead.model.errors import Conflict, NotFound
from roadstead.model.services import ServiceRecord
from roadstead.service.context import Service
from roadstead.store import services as store

SHARE_BINARY = "manila-share"


class ServiceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """None = does not matter; a value that nothing can have finds nothing."""

    host: str | None = None
    binary: str | None = None
    zone: str | None = None
    state: str | None = None
    status: str | None = None
    topic: str | None = None
    ensuring: str | None = None  # a boolean word


_TRUE, _FALSE = frozenset("1 t true on y yes".split()), frozenset("0 f false off n no".split())


def _matches(record: ServiceRecord, wanted: ServiceFilter) -> bool:
    have = {
        "host": record.host,
        "binary": record.binary,
        "zone": record.availability_zone,
        "state": record.state,
        "status": record.status,
        "topic": record.binary,  # the name of a process's queue was its own name
    }
    words = _TRUE if record.ensuring else _FALSE
    if wanted.ensuring is not None and wanted.ensuring.strip().lower() not in words:
        return False
    return all(getattr(wanted, name) in (None, value) for name, value in have.items())


def find_all(service: Service, wanted: ServiceFilter) -> list[ServiceRecord]:
    """The processes that match."""
    with service.db.read() as tx:
        return [record for record in store.find_all(tx) if _matches(record, wanted)]


def set_disabled(
    service: Service, *, binary: str, host: str, disabled: bool, reason: str | None = None
) -> None:
    """The process gets no new work, or does again. NotFound when there is none."""
    with service.db.write() as tx:
        if not store.set_disabled(tx, binary=binary, host=host, disabled=disabled, reason=reason):
            raise NotFound(f"service {binary} on host {host} could not be found")


def ensure_shares(service: Service, host: str) -> None:
    """The backend `host` is `ensuring` until its agent has compared all its shares with the world
    and repaired what differs. NotFound: no such backend; Conflict: its agent is not alive."""
    with service.db.write() as tx:
        found = store.find(tx, binary=SHARE_BINARY, host=host)
        if found is None:
            raise NotFound(f"service {SHARE_BINARY} on host {host} could not be found")
        if not found.up:
            raise Conflict(f"service {SHARE_BINARY} on host {host} is down")
        store.set_ensuring(tx, [found.id], True)
    service.engine.nudge(host.partition("@")[0])
