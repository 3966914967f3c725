"""Changes of a network in use: first every host is asked if it can (wire.md#network-checks).

An agent's answer is known as soon as somebody asks: it has reported what its backends can do.
"""

from collections.abc import Callable, Sequence

import msgspec

from roadstead.model.errors import BadRequest
from roadstead.model.share_networks import ShareNetwork, ShareServer
from roadstead.model.states import ShareNetworkStatus
from roadstead.ops.begin import check
from roadstead.ops.subjects import of_server
from roadstead.store import network_checks as store
from roadstead.store.db import Tx


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`compatible` None: a host has not answered yet, ask again."""

    compatible: bool | None
    hosts: dict[str, bool | None]


def ask(
    tx: Tx,
    network: ShareNetwork,
    change: str,
    servers: Sequence[ShareServer],
    able: Callable[[ShareServer], bool],
    *,
    reset: bool = False,
) -> Answer:
    """What the hosts say; an answer once given stays until it is reset or the change is made."""
    known = {} if reset else store.read(tx, network, change)
    answers: dict[str, bool | None] = {}
    for server in servers:
        if server.host not in known:
            answers[server.host] = answers.get(server.host, True) and able(server)
    answers |= {host: known[host] for host in known if any(s.host == host for s in servers)}
    if answers != known:
        store.record(tx, network, change, answers)
    said = set(answers.values())
    return Answer(
        compatible=False if False in said else None if None in said else True, hosts=answers
    )


def require(tx: Tx, network: ShareNetwork, change: str, servers: Sequence[ShareServer]) -> None:
    """BadRequest unless every host of these servers was asked and said yes, and nothing else is
    being changed. The answers are used up."""
    if not servers:
        return
    if network.status != ShareNetworkStatus.ACTIVE:
        raise BadRequest(f"share network {network.id} is {network.status}, not active")
    known = store.read(tx, network, change)
    if any(server.host not in known for server in servers):
        raise BadRequest("ask first whether this change is possible: there is a check for it")
    answers = {known[server.host] for server in servers}
    if False in answers:
        raise BadRequest("a host of the network's share servers cannot do this change")
    if None in answers:
        raise BadRequest("not every host has said yet whether it can do this change")
    for server in servers:
        check("share_server.update", of_server(server))
    store.forget_all(tx, network)
