"""Bodies and filters of access rules (wire.md#access-rules)."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.api.schemas import metadata, paging, values
from roadstead.model.errors import BadRequest
from roadstead.model.queries import RuleFilter
from roadstead.service.access import NewRule
from roadstead.service.locks import WantedLocks

_PASSWORD = (8, 127)  # Samba's longest
_FORBIDDEN_IN_USER = frozenset('"/\\[]:;|=,+*?<>')


def _ip(text: str, minor: int) -> str:
    """An address, or a network without host bits; IPv6 from 2.38 on."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise BadRequest(f"access_to: {text!r} is no address or network") from error
    if "%" in text or (network.version == 6 and minor < 38):
        raise BadRequest(f"access_to: {text!r} is no IPv4 address or network")
    return text


def _user(text: str, minor: int) -> str:
    if not text.strip(". \t") or not 4 <= len(text) <= 255:
        raise BadRequest("access_to: a user or group name has 4 to 255 characters")
    if _FORBIDDEN_IN_USER & set(text) or not text.isprintable():
        raise BadRequest("access_to: a user or group name cannot hold one of those characters")
    return text


def _cert(text: str, minor: int) -> str:
    if not 1 <= len(text.strip()) <= 64 or not text.isprintable():
        raise BadRequest("access_to: a common name has 1 to 64 characters")
    return text.strip()


def _cephx(text: str, minor: int) -> str:
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", text) or "." in text:
        raise BadRequest("access_to: a cephx id is printable ASCII without a dot")
    return text


# Type, first minor that knows it, check of access_to.
_TYPES: dict[str, tuple[int, Callable[[str, int], str]]] = {
    "ip": (0, _ip),
    "user": (0, _user),
    "cert": (0, _cert),
    "cephx": (13, _cephx),
}


def _type(call: Call, value: object) -> str:
    if not isinstance(value, str) or value not in _TYPES or not call.since(_TYPES[value][0]):
        raise BadRequest("access_type must be ip, user, cert or, from 2.13 on, cephx")
    return value


def _level(value: object) -> str:
    if not isinstance(value, str) or value not in ("rw", "ro"):
        raise BadRequest("access_level must be rw or ro")
    return value


def allow(call: Call) -> NewRule:
    """The rule asked for."""
    wanted = values.wrapped(call.body, "allow_access", "os-allow_access")
    kind = _type(call, wanted.get("access_type"))
    target = values.required_text(wanted, "access_to")
    return NewRule(
        access_type=kind,
        access_to=_TYPES[kind][1](target, call.minor),
        access_level=_level(wanted["access_level"]) if wanted.get("access_level") else "rw",
        metadata=metadata.optional_pairs(wanted) if call.since(45) else {},
        locks=_locks(wanted) if call.since(82) else WantedLocks(),
    )


def user(call: Call) -> NewRule:
    """A user to be admitted with a password of the caller's choice."""
    wanted = values.wrapped(call.body, "user")
    if unknown := wanted.keys() - {"name", "password", "access_level"}:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
    name = _user(values.required_text(wanted, "name"), call.minor)
    level = _level(wanted["access_level"]) if wanted.get("access_level") else "rw"
    return NewRule(
        access_type="user", access_to=name, access_level=level, password=_password(wanted)
    )


def _password(wanted: Mapping[str, Any]) -> str:
    """Never part of a message."""
    found = wanted.get("password")
    if not isinstance(found, str) or not found.isprintable() or found != found.strip():
        raise BadRequest("password: printable characters, not a blank at either end")
    if not _PASSWORD[0] <= len(found) <= _PASSWORD[1]:
        raise BadRequest(f"password: {_PASSWORD[0]} to {_PASSWORD[1]} characters")
    return found


def _locks(wanted: Mapping[str, Any]) -> WantedLocks:
    locks = WantedLocks(
        visibility=values.strict_flag(wanted, "lock_visibility"),
        deletion=values.strict_flag(wanted, "lock_deletion"),
        reason=values.text(wanted, "lock_reason", most=1023) or None,
    )
    if locks.reason and not (locks.visibility or locks.deletion):
        raise BadRequest("lock_reason needs lock_visibility or lock_deletion")
    return locks


class Denial(msgspec.Struct, frozen=True):
    access_id: str
    unrestrict: bool = False


def deny(call: Call) -> Denial:
    """The rule to revoke, and whether its locks are to be lifted."""
    wanted = values.wrapped(call.body, "deny_access", "os-deny_access")
    return Denial(
        values.required_text(wanted, "access_id"),
        call.since(82) and values.flag(wanted, "unrestrict"),
    )


def level(call: Call) -> str:
    """The level to change a rule to."""
    return _level(values.wrapped(call.body, "update_access").get("access_level"))


def listing(call: Call) -> tuple[str, RuleFilter]:
    """(share id, filter) of GET /share-access-rules; validated from 2.82 on."""
    query = call.query
    if not query.get("share_id"):
        raise BadRequest("share_id is required")
    names = ("access_type", "access_to", "access_level", "access_key", "id")
    chosen = {name: query[name] for name in names if name in query}
    if call.since(82):
        if "access_type" in chosen:
            _type(call, chosen["access_type"])
        if "access_level" in chosen:
            _level(chosen["access_level"])
        if "access_to" in chosen:
            if "access_type" not in chosen:
                raise BadRequest("the filter access_to needs access_type")
            _TYPES[chosen["access_type"]][1](chosen["access_to"], call.minor)
    return query["share_id"], RuleFilter(**chosen, metadata=paging.pairs(query, "metadata"))
