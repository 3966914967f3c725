"""Bodies and filters of access rules (contract §8)."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import fields, metadata, paging
from roadstead.model.errors import BadRequest
from roadstead.service.access import NewRule
from roadstead.store.access import RuleFilter

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
    wanted = fields.argument(call.body, "allow_access", "os-allow_access")
    kind = _type(call, wanted.get("access_type"))
    target = fields.required_text(wanted, "access_to")
    if call.since(82):
        _no_locks(wanted)
    return NewRule(
        access_type=kind,
        access_to=_TYPES[kind][1](target, call.minor),
        access_level=_level(wanted["access_level"]) if wanted.get("access_level") else "rw",
        metadata=metadata.pairs(wanted.get("metadata") or {}) if call.since(45) else {},
    )


def _no_locks(wanted: Mapping[str, Any]) -> None:
    locks = [
        key
        for key in ("lock_visibility", "lock_deletion")
        if key in wanted and fields.strict_boolean(wanted[key], key)
    ]
    if fields.text(wanted, "lock_reason", longest=1023) and not locks:
        raise BadRequest("lock_reason needs lock_visibility or lock_deletion")
    if locks:
        raise BadRequest(
            f"{' and '.join(locks)}: this server does not lock access rules yet; nothing was done"
        )


def deny(call: Call) -> str:
    """The id of the rule to revoke. `unrestrict` is taken as said: there are no locks to lift."""
    wanted = fields.argument(call.body, "deny_access", "os-deny_access")
    if call.since(82) and wanted.get("unrestrict") is not None:
        fields.boolean(wanted["unrestrict"], "unrestrict")
    return fields.required_text(wanted, "access_id")


def level(call: Call) -> str:
    """The level to change a rule to."""
    return _level(fields.argument(call.body, "update_access").get("access_level"))


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
