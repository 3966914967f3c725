"""D-M2: which networks an access rule may name."""

from typing import Any

import msgspec
import pytest

from roadstead.api.app import make_app
from tests.factories import DEFAULT_SPECS, World
from tests.unit.api.client import OWNER, Client, HeaderAuth, key_of

EVERYBODY = ("0.0.0.0/0", "::/0", "0.0.0.0/0.0.0.0", "0::0/0")


def _member(world: World, **settings: Any) -> Client:
    service = msgspec.structs.replace(world.service, **settings)
    return Client(make_app(service, auth=HeaderAuth()), OWNER, "member,reader")


def _allow(client: Client, share_id: str, access_to: str) -> Any:
    wanted = {"access_type": "ip", "access_to": access_to}
    return client.post(f"/shares/{share_id}/action", {"allow_access": wanted})


@pytest.mark.parametrize("access_to", EVERYBODY)
def test_everybody_only_where_the_type_says_so(
    member: Client, admin: Client, access_to: str
) -> None:
    specs = {**DEFAULT_SPECS, "roadstead:allow_any_address": "True"}
    admin.post("/types", {"share_type": {"name": "open", "extra_specs": specs}})
    refused = _allow(member, member.share()["id"], access_to)
    assert key_of(refused) == "forbidden"
    for word in ("roadstead:allow_any_address=True", "share type default", access_to):
        assert word in refused.json["forbidden"]["message"]
    assert _allow(member, member.share(share_type="open")["id"], access_to).status_code == 200


def test_old_versions_are_no_way_around(member: Client) -> None:
    body = {"os-allow_access": {"access_type": "ip", "access_to": "0.0.0.0/0"}}
    answer = member.at(0).post(f"/shares/{member.share()['id']}/action", body)
    assert key_of(answer) == "forbidden"


def test_an_operator_may_not_care(world: World) -> None:
    member = _member(world, refuse_any_address=False)
    assert _allow(member, member.share()["id"], "0.0.0.0/0").status_code == 200


def test_permitted_networks_of_a_project(world: World) -> None:
    member = _member(world, permitted_cidrs={OWNER: ("10.0.0.0/8", "fd00::/8")})
    share_id = member.share()["id"]
    for good in ("10.1.2.3", "10.0.0.0/8", "fd00::1"):
        assert _allow(member, share_id, good).status_code == 200, good
    for bad in ("11.0.0.1", "0.0.0.0/0", "8.0.0.0/6", "fe00::1", "::/0"):
        refused = _allow(member, share_id, bad)
        assert key_of(refused) == "forbidden", bad
        assert "10.0.0.0/8, fd00::/8" in refused.text
    others = Client(member.app, "eeeeeeee55555555eeeeeeee55555555", "member,reader")
    assert _allow(others, others.share()["id"], "11.0.0.1").status_code == 200
