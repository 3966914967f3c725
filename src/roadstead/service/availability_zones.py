"""Where shares may be placed."""

from roadstead.model.services import Zone
from roadstead.service.context import Service
from roadstead.store import availability_zones as store


def find_all(service: Service) -> list[Zone]:
    """The zones of all services, by name."""
    with service.db.read() as tx:
        return store.find_all(tx)
