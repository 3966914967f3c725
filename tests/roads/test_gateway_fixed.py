"""A filer on which nothing may be changed: exports that its administrator made, one for each share,
with addresses for gateways that never change either (kind b of the pool `filer`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import nfs4
from tests.roads.direct import LEVELS, Shared
from tests.roads.gateway import GatewayRoad, Tenant
from tests.roads.network import TYPE, address_of
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.hosts import Client

pytestmark = [pytest.mark.real, pytest.mark.slow]

WRITER, READER = "10.0.0.50", "10.0.0.60"
EXPORTS: list[dict[str, Any]] = [
    {"path": "one", "name": "/vol/one", "size_gib": 5, "rw": ["172.30.0.11"], "ro": []},
    {"path": "two", "name": "/vol/two", "size_gib": 9, "rw": ["172.30.0.12"],
     "ro": ["172.30.0.13"]},
]  # fmt: skip


class FixedRoad(GatewayRoad):
    """The administrator has exported two directories, before and after."""

    pool = "filer-fixed"

    def backend(self) -> dict[str, Any]:
        config, exports = super().backend(), []
        for number, export in enumerate(EXPORTS):
            directory = self.filer.root / "vol" / export["path"]
            directory.mkdir(parents=True)
            who = {"path": str(directory), "ro": export["ro"]}
            self.filer.export(100 + number, export["name"], *export["rw"], **who)
            exports.append({**export, "path": str(directory)})
        filer = {**config["filer"], "control": "fixed", "control_options": {"exports": exports}}
        return {**config, "filer": {**filer, "tree": "", "path": ""}, "pool_options": {}}


ROAD = FixedRoad


def level(client: Client, server: str, share: Shared) -> str:
    """What the client gets: rw, ro or none."""
    with nfs4.Client(server, netns=client.netns) as session:
        try:
            root = session.lookup(share.pseudo)
            session.close_file(session.open(root, "file", write=True, create=True))
        except nfs4.NfsError as refused:
            return LEVELS[refused.status_name]
    return "rw"


def free(road: FixedRoad) -> float:
    """What the scheduler believes to be free, in GiB."""
    (pool,) = road.admin.get("/scheduler-stats/pools/detail")["pools"]
    return pool["capabilities"]["free_capacity_gb"]


def test_shares_get_the_administrators_exports(road: FixedRoad, tenant: Tenant) -> None:
    """The smallest that is large enough; as whom the filer knows them; and by its name."""
    before = road.filer.clients()
    large, small = tenant.share(WRITER, size=6), tenant.share(WRITER)
    assert (large.pseudo, small.pseudo) == ("/vol/two", "/vol/one")
    tenant.api.allow(large.id, READER, "ro")
    with road.client(tenant, WRITER) as writer, road.client(tenant, READER) as reader:
        for share in (large, small):
            assert level(writer, address_of(tenant.api, share), share) == "rw"
        assert level(reader, address_of(tenant.api, large), large) == "ro"
        with pytest.raises(ConnectionRefusedError):
            level(reader, address_of(tenant.api, small), small)
    assert (road.filer.root / "vol/one/file").exists()
    rule = tenant.api.allow(small.id, READER, "ro", wait=False)
    assert tenant.api.wait_rule(rule["id"], ("error",))["state"] == "error"
    assert road.filer.clients() == before


@pytest.mark.isolation
def test_an_export_is_nobody_elses_before_it_was_emptied(road: FixedRoad, tenant: Tenant) -> None:
    """What a deleted share's tenant left is never another's."""
    for share in tenant.api.get("/shares")["shares"]:
        tenant.api.delete_share(share["id"])
    other = road.tenant("bob")
    refused = other.api.create_share(wait=False, share_network_id=other.network, share_type=TYPE)
    other.api.wait_share(refused["id"], ("error",))
    assert road.leased() == 0
    (road.filer.root / "vol/one/file").unlink()
    (freed,) = road.service.state.glob("filers/local/*one.json")
    freed.unlink()
    until(lambda: free(road) >= 5, "the scheduler knows of it")
    assert other.share(WRITER).pseudo == "/vol/one"
