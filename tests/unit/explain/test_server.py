"""Who gets at a share behind a share server or a gateway, and over which hops (G-M3)."""

import ipaddress

import pytest

from roadstead.explain.server import ServerFacts, explain_server
from roadstead.explain.share import Explanation, Facts, Hop
from roadstead.model.access import AccessRule
from roadstead.model.ids import new_id
from roadstead.model.share_networks import GatewayReport, ShareNetwork, ShareServer, Subnet
from roadstead.model.shares import ExportLocation, Share
from roadstead.model.world import Flow
from roadstead.store.db import utcnow

SHARE, INSTANCE, SERVER, NETWORK, SUBNET = (new_id() for _ in range(5))
FLOW = Flow(
    addresses=("10.0.0.3",), sources={"rw": ("172.30.0.21",), "ro": ("172.30.0.31",)}
)  # fmt: skip
REPORT = GatewayReport(
    share_server_id=SERVER, host="node1", role="active", health="ok", sessions=2,
    bytes_in=1000, bytes_out=5000, reported_at=utcnow(),
)  # fmt: skip


def _facts(*rules: tuple[str, str], road: str = "gateway") -> Facts:
    share = Share(
        id=SHARE, project_id="p", user_id="u", size_gib=3, proto="NFS", created_at=utcnow(),
        instance_id=INSTANCE, status="available", host="node1@nas#filer", share_server_id=SERVER,
    )  # fmt: skip
    location = ExportLocation(
        id=new_id(), instance_id=INSTANCE, share_id=SHARE, path=f"10.0.0.3:/share-{INSTANCE}",
        created_at=utcnow(),
    )  # fmt: skip
    made = [
        AccessRule(
            id=to, share_id=SHARE, access_type="ip", access_to=to, access_level=level,
            state="active", created_at=utcnow(),
        )
        for to, level in rules
    ]  # fmt: skip
    return Facts(share=share, locations=[location], rules=made, road=road, isolation="network")


def _behind(
    kind: str = "gateway", status: str = "active", variant: str = "l4", **more
) -> ServerFacts:
    subnet = Subnet(
        id=SUBNET, share_network_id=NETWORK, network_type="vxlan", segmentation_id=1007,
        cidr="10.0.0.0/24", created_at=utcnow(),
    )  # fmt: skip
    network = ShareNetwork(
        id=NETWORK, project_id="p", user_id="u", name="lan", subnets=(subnet,), created_at=utcnow()
    )
    server = ShareServer(
        id=SERVER, project_id="p", share_network_id=NETWORK, host="node1@nas", status=status,
        identifier=SERVER, subnet_ids=(SUBNET,), created_at=utcnow(),
        details={"kind": kind, "variant": variant},
    )  # fmt: skip
    return ServerFacts(network=network, server=server, **more)


def _hops(found: Explanation) -> dict[str, Hop]:
    return {hop.name: hop for hop in found.hops}


def test_every_hop_to_the_filer_is_named():
    facts = _facts(("10.0.0.0/24", "ro"), ("10.0.0.50", "rw"))
    found = explain_server(facts, _behind(flow=FLOW, report=REPORT), "10.0.0.50", admin=True)
    assert (found.road, found.isolation, found.verdict) == ("gateway", "network", "admitted")
    hops = _hops(found)
    assert list(hops) == [
        "client", "network", "rule", "gateway", "storage", "export", "pool", "probe"
    ]  # fmt: skip
    assert "share network lan, 10.0.0.0/24 (vxlan 1007)" in hops["network"].what
    assert "10.0.0.50 admits 10.0.0.50 at level rw" in hops["rule"].what
    assert "one hop more" in hops["gateway"].what
    assert "10.0.0.3" in hops["gateway"].what
    assert "172.30.0.21 rw" in hops["storage"].what
    assert "172.30.0.31" not in hops["storage"].what
    assert hops["export"].what.startswith("on the filer: ")
    assert [hop.name for hop in found.hops if hop.ok is False] == []


def test_what_the_gateway_carried_is_told_as_it_was_seen():
    found = explain_server(_facts(), _behind(flow=FLOW, report=REPORT), None, admin=False)
    assert "2 sessions, 1000 bytes from and 5000 to clients" in _hops(found)["gateway"].what


def test_the_storage_network_and_the_segment_are_for_administrators():
    """A tenant is told the principle, and its own addresses only."""
    behind = _behind(flow=FLOW, report=_seen("filer unreachable", "172.30.0.2: timed out"))
    found = explain_server(_facts(("10.0.0.50", "ro")), behind, "10.0.0.50", admin=False)
    said = " ".join(hop.what for hop in found.hops)
    assert "172.30" not in said
    assert "1007" not in said
    assert "filer unreachable" in said
    assert _hops(found)["gateway"].ok is False


def test_without_a_client_each_level_has_its_address_at_the_filer():
    found = explain_server(_facts(), _behind(flow=FLOW), None, admin=True)
    assert "172.30.0.21 rw, 172.30.0.31 ro" in _hops(found)["storage"].what
    assert _hops(found)["gateway"].ok is None  # nobody has looked at it yet


def test_a_share_without_addresses_does_not_pass():
    hops = _hops(explain_server(_facts(("10.0.0.50", "rw")), _behind(), "10.0.0.50", admin=True))
    assert (hops["gateway"].ok, hops["storage"].ok) == (False, False)


def test_a_gateway_that_speaks_nfs_needs_no_addresses_for_shares():
    hops = _hops(explain_server(_facts(), _behind(variant="proxy"), None, admin=True))
    assert "asks the filer" in hops["gateway"].what
    assert (hops["gateway"].ok, hops["storage"].ok) == (None, True)


@pytest.mark.parametrize(("client", "known"), [("10.0.0.50", True), ("10.9.0.1", None)])
def test_a_client_of_another_network_needs_a_router_that_we_do_not_know(client, known):
    found = explain_server(_facts((client, "rw")), _behind(flow=FLOW), client, admin=False)
    assert ipaddress.ip_address(client)
    assert _hops(found)["network"].ok is known


@pytest.mark.parametrize(("status", "works"), [("active", True), ("creating", False)])
def test_a_share_server_is_the_network_roads(status, works):
    behind = _behind(kind="", status=status)
    facts = _facts(("10.0.0.50", "rw"), road="network")
    found = explain_server(facts, behind, "10.0.0.50", admin=False)
    assert (found.road, found.isolation) == ("network", "network")
    hops = _hops(found)
    assert list(hops) == ["client", "network", "rule", "server", "export", "pool", "probe"]
    assert SERVER in hops["server"].what
    assert hops["server"].ok is works
    assert "flat" not in hops["network"].what


def _seen(health: str, detail: str) -> GatewayReport:
    return GatewayReport(
        share_server_id=SERVER, host="node1", role="active", health=health, detail=detail,
        reported_at=utcnow(),
    )  # fmt: skip
