"""The direct road's access rules: who gets in, at which level, and how they lose it again."""

from __future__ import annotations

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.nfs_client import NfsClient
from tests.live.api import Refused
from tests.roads.direct import ALICE, BOB, CAROL, Direct

if TYPE_CHECKING:
    from tests.lab.guest import Guest
    from tests.lab.segment import ClientNs

# One service and two guests serve the whole module.
pytestmark = [
    pytest.mark.isolation,
    pytest.mark.real,
    pytest.mark.vm,
    pytest.mark.xdist_group("direct-rules"),
]

FLAT_PROJECT, CLOSED_PROJECT = "f1a7" * 8, "c105ed" + "0" * 26
SETTINGS = {
    "projects": {
        FLAT_PROJECT: {"permitted_cidrs": ["192.0.2.0/24", "2001:db8::/32"]},
        CLOSED_PROJECT: {"require_network_isolation": True},
    }
}
ROAD = functools.partial(Direct, hosts=(ALICE, BOB), settings=SETTINGS)
NOBODYS = "198.51.100.7"
CUT_SECONDS = 10.0  # ten times the second that is promised: these machines are slow


@pytest.fixture(scope="module")
def open_type(direct: Direct) -> str:
    """A share type whose shares may admit everybody."""
    specs = {
        "driver_handles_share_servers": "False",
        "snapshot_support": "True",
        "roadstead:allow_any_address": "true",
    }
    body = {"name": "open", "extra_specs": specs, "share_type_access:is_public": True}
    return direct.admin.post("/types", {"share_type": body})["share_type"]["id"]


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_a_guest_without_a_rule_is_told_so_at_once(direct: Direct, alice: Guest, six: bool) -> None:
    """X-3"""
    share = direct.share(NOBODYS)
    server = direct.segment.server6 if six else direct.segment.server
    refused = NfsClient(alice).mount(server, share.pseudo)
    assert not refused.ok
    assert "No such file or directory" in refused.output
    print(f"refused after {refused.seconds:.2f} s")
    assert refused.seconds < CUT_SECONDS


def test_a_reader_cannot_write(direct: Direct, alice: Guest) -> None:
    """D-S4: ro and rw on one share, and a level that changes under a mounted guest."""
    share = direct.share(direct.segment.address(BOB))
    rule = direct.api.allow(share.id, alice.nics[0].address, "ro")
    writer = direct.mount(direct.guests[1], share)
    assert writer.write("/mnt/share/file", "from bob").rc == 0
    reader = direct.mount(alice, share)
    assert reader.read("/mnt/share/file").output == "from bob"
    refused = reader.write("/mnt/share/mine", "x")
    assert refused.rc != 0
    assert "Read-only file system" in refused.output
    body = {"update_access": {"access_level": "rw"}}
    direct.api.call("PUT", f"/share-access-rules/{rule['id']}", body)
    direct.api.wait_rule(rule["id"])
    assert reader.write("/mnt/share/mine", "now").rc == 0
    assert writer.read("/mnt/share/mine").output == "now"
    reader.umount()
    writer.umount()


def networks(direct: Direct) -> dict[str, tuple[str, bool]]:
    """Rules that admit Carol and not Dave: what to admit, and whether it is IPv6."""
    four, six = direct.segment.address, direct.segment.address6
    return {
        "address": (four(CAROL), False),
        "/32": (f"{four(CAROL)}/32", False),
        "/26": (f"{four(64)}/26", False),
        "/25": (f"{four(0)}/25", False),
        "v6 address": (six(CAROL), True),
        "v6 /128": (f"{six(CAROL)}/128", True),
        "v6 /121": (f"{six(0)}/121", True),
    }


@pytest.mark.parametrize(
    "kind", ["address", "/32", "/26", "/25", "v6 address", "v6 /128", "v6 /121"]
)
def test_a_rule_admits_exactly_its_network(
    direct: Direct, carol: ClientNs, dave: ClientNs, kind: str
) -> None:
    """D-I3"""
    to, six = networks(direct)[kind]
    share = direct.share(to)
    assert direct.level(carol, share, six=six) == "rw"
    assert direct.level(carol, share, six=not six) == "none"
    assert direct.level(dave, share, six=six) == "none"


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_a_whole_segment_and_everybody(
    direct: Direct, carol: ClientNs, dave: ClientNs, open_type: str, six: bool
) -> None:
    """D-I3 (LP 1707946): /64, and /0 of one family admits nobody of the other. D-M2: /0 only
    where the share type allows it."""
    segment = direct.segment.network6 if six else direct.segment.network
    share = direct.share(str(segment), level="ro")
    assert direct.level(carol, share, six=six) == direct.level(dave, share, six=six) == "ro"
    everybody = "::/0" if six else "0.0.0.0/0"
    with pytest.raises(Refused, match="allow"):
        direct.api.allow(share.id, everybody)
    share = direct.share(everybody, share_type=open_type)
    assert direct.level(carol, share, six=six) == direct.level(dave, share, six=six) == "rw"
    assert direct.level(carol, share, six=not six) == "none"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_most_specific_rule_wins_in_any_order(
    direct: Direct, carol: ClientNs, dave: ClientNs, order: tuple[int, ...]
) -> None:
    """D-I6: ro beats rw only where it is more specific; Carol and Dave are in the widest."""
    four = direct.segment.address
    rules = [(f"{four(0)}/24", "rw"), (f"{four(64)}/26", "ro"), (f"{four(CAROL)}/32", "rw")]
    share = direct.share()
    neighbour = direct.level
    for number in order:
        direct.api.allow(share.id, *rules[number])
    assert neighbour(carol, share) == "rw"
    assert neighbour(dave, share) == "rw"
    mine = next(r for r in direct.api.rules(share.id) if r["access_to"] == rules[2][0])
    direct.api.deny(share.id, mine["id"])
    assert neighbour(carol, share) == "ro"
    assert neighbour(dave, share) == "rw"


def test_rules_added_at_the_same_moment_are_all_in_force(direct: Direct, carol: ClientNs) -> None:
    """D-I7 (LP 1626249): by many threads, and denied by many threads while others come."""
    share = direct.share()
    first = [direct.segment.address(n) for n in range(CAROL, CAROL + 12)]
    second = [direct.segment.address6(n) for n in range(CAROL, CAROL + 12)]

    def allow(to: str) -> dict[str, str]:
        return direct.service.api().allow(share.id, to)

    with ThreadPoolExecutor(12) as threads:
        made = list(threads.map(allow, first))
        assert direct.level(carol, share) == "rw"
        denied = [threads.submit(direct.service.api().deny, share.id, r["id"]) for r in made]
        coming = [threads.submit(allow, to) for to in second]
        for future in (*denied, *coming):
            future.result()
    found = {rule["access_to"]: rule["state"] for rule in direct.api.rules(share.id)}
    assert found == dict.fromkeys(second, "active")
    assert direct.level(carol, share) == "none"
    assert direct.level(carol, share, six=True) == "rw"


@pytest.mark.parametrize(
    ("kind", "to", "says"),
    [("user", "alice", "only 'ip'"), ("ip", "2001:db8::/101", "/100 to /119")],
)
def test_what_the_server_cannot_express_says_so_and_can_be_removed(
    direct: Direct, carol: ClientNs, kind: str, to: str, says: str
) -> None:
    """D-I4 (LP 1707066): the rule is in error with a message, and disturbs no other."""
    share = direct.share(carol.ip)
    argument = {"access_type": kind, "access_to": to, "access_level": "rw"}
    rule = direct.api.act(share.id, "allow_access", argument)["access"]
    direct.api.wait_rule(rule["id"], ("error",), seconds=30)
    (told,) = direct.api.get("/messages", resource_id=share.id)["messages"]
    assert says in told["user_message"]
    assert direct.level(carol, share) == "rw"
    direct.api.deny(share.id, rule["id"])
    assert [r["access_to"] for r in direct.api.rules(share.id)] == [carol.ip]


def test_a_project_that_wants_a_network_of_its_own_gets_none_of_these(direct: Direct) -> None:
    """D-M5: the share is in error, and the message names pool and filter."""
    closed = direct.user("closed", CLOSED_PROJECT)
    share = closed.create_share(1, wait=False)
    closed.wait_share(share["id"], ("error",))
    (told,) = closed.get("/messages", resource_id=share["id"])["messages"]
    assert "node1@local#image" in told["user_message"]
    assert "Isolation" in told["user_message"]
    assert "network isolation" in told["user_message"]
    closed.delete_share(share["id"])


def test_a_project_admits_only_what_it_may(direct: Direct) -> None:
    """D-M2: its permitted networks and parts of them; nothing is left of what was refused."""
    flat = direct.user("flat", FLAT_PROJECT)
    share = flat.create_share(1)["id"]
    for to in ("192.0.2.128/25", "2001:db8:1::/64"):
        flat.allow(share, to)
    for to in (direct.segment.address(CAROL), "192.0.0.0/16", "0.0.0.0/0", "2001:db9::1"):
        with pytest.raises(Refused, match="permitted") as refused:
            flat.allow(share, to)
        assert refused.value.status in (400, 403)
    admitted = {rule["access_to"] for rule in flat.rules(share)}
    assert admitted == {"192.0.2.128/25", "2001:db8:1::/64"}
    flat.delete_share(share)
