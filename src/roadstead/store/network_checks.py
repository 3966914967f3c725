"""What the hosts of a network's share servers said to a change that was asked about."""

import hashlib
import json
from collections.abc import Mapping

from roadstead.model.share_networks import ShareNetwork
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx

_k = t.network_checks.c


def digest(operation: str, **arguments: str | None) -> str:
    """The same for the same change."""
    text = json.dumps([operation, arguments], sort_keys=True)
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()


def read(tx: Tx, network: ShareNetwork, change: str) -> dict[str, bool | None]:
    """Each host's answer; None while it has not answered."""
    query = t.network_checks.select().where(_k.share_network_id == network.id, _k.change == change)
    return {row.host: row.compatible for row in tx.execute(query)}


def record(tx: Tx, network: ShareNetwork, change: str, answers: Mapping[str, bool | None]) -> None:
    """These are the answers, and there are no others to this change."""
    _forget(tx, network, change)
    if answers:
        key = {"share_network_id": network.id, "change": change}
        rows = [{**key, "host": host, "compatible": said} for host, said in answers.items()]
        tx.execute(t.network_checks.insert(), rows)


def _forget(tx: Tx, network: ShareNetwork, change: str) -> None:
    """The change was not asked about."""
    tx.execute(
        t.network_checks.delete().where(_k.share_network_id == network.id, _k.change == change)
    )


def forget_all(tx: Tx, network: ShareNetwork) -> None:
    """Nothing was asked about: the network is no longer what it was."""
    tx.execute(t.network_checks.delete().where(_k.share_network_id == network.id))
