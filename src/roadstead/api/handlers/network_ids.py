"""What the stock client asks before it names a network or a subnet: "is there one of that id?"

It asks the cloud's network service; where the cloud has none, that question comes to us (without
Keystone: at <endpoint>/v2.0/networks/ID). An id may have a slash, so it comes in one or two parts.
"""

from typing import Any

from roadstead.api.call import Call
from roadstead.service import segments


def networks(call: Call) -> dict[str, Any]:
    names = segments.find_names(call.service, call.caller.project_id)
    wanted = call.query.get("name", call.query.get("id"))
    found = [name for name in names if wanted in (None, name)]
    return {"networks": [_named(name) for name in found]}


def network(call: Call, *parts: str) -> dict[str, Any]:
    name = "/".join(parts)
    segments.check_network_id(call.service, call.caller.project_id, name)
    return {"network": _named(name)}


def subnets(call: Call) -> dict[str, Any]:
    return {"subnets": []}  # every subnet that can be is there; there is no end to the list


def subnet(call: Call, *parts: str) -> dict[str, Any]:
    text = "/".join(parts)
    segments.check_subnet_id(call.service, text)
    return {"subnet": _named(text)}


def _named(ident: str) -> dict[str, Any]:
    return {"id": ident, "name": ident}
