"""Sections of lists: links and markers both lead through all of it, and to an end."""

import pytest

from tests.unit.api.client import Client, key_of


def _follow(client: Client, path: str, name: str, links: str) -> list[str]:
    """Ids seen by a client that follows links."""
    seen: list[str] = []
    while True:
        page = client.get(path).json
        seen += [row["id"] for row in page[name]]
        if links not in page:
            return seen
        ((_, path),) = [link["href"].split("/v2", 1) for link in page[links]]


@pytest.fixture
def shares(member: Client) -> list[str]:
    """Newest first."""
    return [member.share(name=f"n{n % 2}")["id"] for n in range(5)][::-1]


@pytest.mark.parametrize("path", ["/shares", "/shares/detail"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_links_lead_to_the_end(member: Client, shares: list[str], path: str, limit: int) -> None:
    assert _follow(member, f"{path}?limit={limit}", "shares", "shares_links") == shares
    behind = f"{path}?limit={limit}&marker={shares[0]}"
    assert _follow(member, behind, "shares", "shares_links") == shares[1:]
    offset = f"{path}?limit={limit}&marker={shares[0]}&offset=1"
    assert _follow(member, offset, "shares", "shares_links") == shares[2:]


def test_markers_of_shares(member: Client, foreigner: Client, shares: list[str]) -> None:
    def ids(query: str) -> list[str]:
        return [share["id"] for share in member.get(f"/shares?{query}").json["shares"]]

    assert ids(f"marker={shares[1]}") == shares[2:]
    assert ids(f"marker={shares[-1]}") == []
    assert ids("marker=") == shares
    by_name = ids("sort_key=name&sort_dir=asc")
    assert ids(f"sort_key=name&sort_dir=asc&marker={by_name[2]}&limit=1") == [by_name[3]]
    counted = member.get(f"/shares/detail?with_count=1&marker={shares[1]}").json
    assert (counted["count"], len(counted["shares"])) == (5, 3)
    for wrong in ("zz", foreigner.share()["id"]):
        assert key_of(member.get(f"/shares?marker={wrong}")) == "badRequest"


def test_markers_of_messages(member: Client, foreigner: Client) -> None:
    for client in (member, member, member, foreigner):
        # Nothing can hold it: a message says so.
        client.post("/shares", {"share": {"share_proto": "CIFS", "size": 1}})
    newest, *rest = [m["id"] for m in member.get("/messages").json["messages"]]
    behind = member.get(f"/messages?marker={newest}").json["messages"]
    assert [m["id"] for m in behind] == rest
    path = f"/messages?limit=1&marker={newest}"
    assert _follow(member, path, "messages", "messages_links") == rest
    (foreign,) = foreigner.get("/messages").json["messages"]
    assert key_of(member.get(f"/messages?marker={foreign['id']}")) == "badRequest"
