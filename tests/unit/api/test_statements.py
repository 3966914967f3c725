"""How many statements a request costs: none per row."""

import pytest

from roadstead.store.db import counting
from tests.unit.api.client import Client


def _statements(client: Client, path: str) -> int:
    with counting() as counter:
        assert client.get(path).status_code == 200
    return counter[0]


@pytest.mark.parametrize("minor", [0, 8, 9, 99])
def test_show(member: Client, minor: int) -> None:
    share = member.share(metadata={"a": "b"})
    member.rule(share["id"])
    # Up to 2.8 its paths are in the body.
    most = 2 if minor > 8 else 3
    assert _statements(member.at(minor), f"/shares/{share['id']}") <= most


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/shares", 1),
        ("/shares/detail", 2),
        ("/shares/detail?limit=2&sort_key=name&metadata={'a':'b'}", 2),
        ("/shares/detail?with_count=1&is_public=1&all_tenants=1", 3),
        ("/shares/detail?limit=1&marker={marker}", 3),
        ("/share-access-rules?share_id={marker}", 4),
        ("/shares/{marker}/export_locations", 4),
        ("/share_instances", 1),
        ("/messages", 1),
        ("/types", 2),
    ],
)
def test_lists(member: Client, owner_admin: Client, path: str, most: int) -> None:
    path = path.replace("{marker}", member.share(metadata={"a": "b"})["id"])
    few = _statements(owner_admin, path)
    for number in range(4):
        share = member.share(metadata={"a": "b"}, name=f"s{number}")
        member.rule(share["id"])
    assert _statements(owner_admin, path) == few
    assert few <= most
