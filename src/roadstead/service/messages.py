"""User messages: read and deleted by the project they speak to; administrators see all."""

from roadstead.model.errors import NotFound
from roadstead.model.messages import Message
from roadstead.model.queries import MessageFilter, Page
from roadstead.service.context import Caller, Service
from roadstead.store import messages as store


def _missing(message_id: str) -> NotFound:
    return NotFound(f"message {message_id} could not be found")


def find_all(service: Service, caller: Caller, wanted: MessageFilter, page: Page) -> list[Message]:
    """Messages that match. BadRequest on an unknown sort key."""
    with service.db.read() as tx:
        return store.find_all(tx, caller.scope, wanted, page)


def get(service: Service, caller: Caller, message_id: str) -> Message:
    """NotFound when it is not there, or another project's."""
    with service.db.read() as tx:
        found = store.get(tx, caller.scope, message_id)
    if found is None:
        raise _missing(message_id)
    return found


def delete(service: Service, caller: Caller, message_id: str) -> None:
    """NotFound when it is not there, or another project's."""
    with service.db.write() as tx:
        if not store.delete(tx, caller.scope, message_id):
            raise _missing(message_id)
