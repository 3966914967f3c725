"""Whose way to a share is wanted."""

from collections.abc import Mapping

from roadstead.model.errors import BadRequest


def whose(query: Mapping[str, str]) -> tuple[str | None, str | None]:
    """(`client`, `vm`), of which one at most is given. BadRequest otherwise."""
    client, vm = query.get("client") or None, query.get("vm") or None
    if client and vm:
        raise BadRequest("either client or vm may be given, not both")
    return client, vm
