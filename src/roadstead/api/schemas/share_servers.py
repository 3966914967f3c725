"""Bodies and filters of share servers (wire.md#share-servers)."""

from collections.abc import Callable
from typing import Any, cast

from roadstead.api.call import Call
from roadstead.api.schemas import values
from roadstead.model.errors import BadRequest, Unprocessable
from roadstead.model.share_networks import ShareServer
from roadstead.model.states import ShareServerStatus
from roadstead.service.share_servers import Managed

Matches = Callable[[ShareServer], bool]
_FLAGS = (
    "is_auto_deletable",
    "security_service_update_support",
    "network_allocation_update_support",
)
_EQUAL = ("id", "host", "status", "identifier", "project_id", "share_network_id")
# No server of ours has a value for these.
_ALWAYS_NONE = ("task_state", "source_share_server_id", "encryption_key_ref")


def listing(call: Call) -> Matches:
    """What a server must be like to be listed; a key that is no filter lets nothing through."""
    tests = [_test(key, value) for key, value in call.query.items()]
    return lambda server: all(test(server) for test in tests)


def _test(key: str, value: str) -> Matches:
    if key in _EQUAL:
        return lambda server: getattr(server, key) == value
    if key in _FLAGS:
        wanted = values.boolean(value, key)
        return lambda server: getattr(server, key) is wanted
    if key == "share_network":
        return lambda server: value in (server.share_network_id, server.share_network_name)
    if key == "share_network_subnet_id":
        return lambda server: value in server.subnet_ids
    if key in _ALWAYS_NONE:
        return lambda _server: value == ""
    return lambda _server: False


def status(call: Call) -> str:
    """The status to set."""
    value = values.required_text(values.wrapped(call.body, "reset_status"), "status")
    if value not in frozenset(ShareServerStatus):
        raise BadRequest(f"{value!r} is no status that can be set")
    return value


def no_task_state(call: Call) -> None:
    """BadRequest unless the task state is to be none, which it is: no server is ever migrated."""
    wanted = values.wrapped(call.body, "reset_task_state")
    if "task_state" not in wanted or wanted["task_state"] is not None:
        raise BadRequest("task_state can only be null: this server does not migrate share servers")


def managed(call: Call) -> Managed:
    """The server to take over; the subnet counts from 2.51 on."""
    fields = values.wrapped(call.body, "share_server", fault=Unprocessable)
    subnet = values.text(fields, "share_network_subnet_id") if call.since(51) else None
    return Managed(
        host=values.required_text(fields, "host"),
        share_network_id=values.required_text(fields, "share_network_id"),
        identifier=values.required_text(fields, "identifier"),
        share_network_subnet_id=subnet or None,
        driver_options=_options(fields),
    )


def _options(fields: dict[str, Any]) -> dict[str, str]:
    found = fields.get("driver_options")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest("driver_options must be an object of strings")
    options = cast("dict[str, object]", found)
    return {
        values.string(key, "driver_options", least=1): values.string(value, key[:80], most=1023)
        for key, value in options.items()
    }


def force(call: Call) -> bool:
    """Shall the server be forgotten also when it is not to be found? null means no."""
    if call.body["unmanage"] is None:
        return False
    return values.flag(values.wrapped(call.body, "unmanage"), "force")
