"""Calls over a D-Bus socket, by jeepney, with types.

Any number of calls may be under way at once; an answer that is an error is data here.
"""
# jeepney has no type annotations; nothing of it leaves this module.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageType, new_method_call
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

# The bus allows 128 unanswered calls of one connection (dbus-daemon(1), system type).
_WINDOW = 64
_GLANCE = 0.1


class Call(msgspec.Struct, frozen=True):
    """One method call. `body` has the types of `signature`."""

    service: str
    path: str
    interface: str
    method: str
    signature: str = ""
    body: tuple[object, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """What came back; `error` is the name of the D-Bus error, None for success."""

    body: tuple[Any, ...]
    error: str | None = None


class Connection:
    """A connection to the bus at the socket. For one thread at a time. Every method raises
    OSError or EOFError when the connection is of no use any more."""

    def __init__(self, socket: Path) -> None:
        self._connection = open_dbus_connection(bus=f"unix:path={socket}")

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def converse(self, calls: Sequence[Call], *, timeout: float) -> list[Reply]:
        """The replies, in the order of the calls. TimeoutError when none comes for so long."""
        messages = [_message(call) for call in calls]
        replies: list[Reply] = []
        for start in range(0, len(messages), _WINDOW):
            replies += self._exchange(messages[start : start + _WINDOW], timeout)
        return replies

    def pid_of(self, service: str, *, timeout: float) -> Reply:
        """The id of the process behind the name, as the kernel told the bus."""
        return self._exchange([message_bus.GetConnectionUnixProcessID(service)], timeout)[0]

    def wait_for(self, service: str, worthwhile: Callable[[], bool]) -> bool:
        """Whether the name has an owner; waits for one as long as it is worthwhile."""
        watch = MatchRule(type="signal", member="NameOwnerChanged")
        watch.add_arg_condition(0, service)
        hello = [message_bus.AddMatch(watch), message_bus.NameHasOwner(service)]
        owned = bool(self._exchange(hello, 5.0)[1].body[0])
        while not owned and worthwhile():
            with contextlib.suppress(TimeoutError):
                owned = bool(watch.matches(self._connection.receive(timeout=_GLANCE)))
        return owned

    def _exchange(self, messages: Sequence[Message], timeout: float) -> list[Reply]:
        waiting: dict[int, int] = {}
        for index, message in enumerate(messages):
            serial = next(self._connection.outgoing_serial)
            waiting[serial] = index
            self._connection.send(message, serial=serial)
        replies: dict[int, Reply] = {}
        limit = time.monotonic() + timeout
        while waiting:
            left = max(0.0, limit - time.monotonic())
            message = self._connection.receive(timeout=left)
            # Signals come in between.
            index = waiting.pop(message.header.fields.get(HeaderFields.reply_serial, -1), None)
            if index is not None:
                replies[index] = _reply(message)
                limit = time.monotonic() + timeout
        return [replies[index] for index in range(len(messages))]


def _message(call: Call) -> Message:
    address = DBusAddress(call.path, bus_name=call.service, interface=call.interface)
    return new_method_call(address, call.method, call.signature or None, call.body)


def _reply(message: Message) -> Reply:
    if message.header.message_type is not MessageType.error:
        return Reply(message.body)
    return Reply(message.body, str(message.header.fields.get(HeaderFields.error_name)))
