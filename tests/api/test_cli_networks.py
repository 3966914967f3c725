"""`openstack share network|network subnet|security service|server …`."""

import stat
import uuid
from collections.abc import Generator
from typing import Any

import pytest

from roadstead.store import share_networks, share_servers
from roadstead.store.db import Database
from roadstead.store.scope import everyone
from tests.api.cloud import Cloud, User

NETWORK = ("share", "network")
SUBNET = ("share", "network", "subnet")
SECURITY = ("share", "security", "service")
SERVER = ("share", "server")
SEGMENT = ("--neutron-net-id", "tenants", "--neutron-subnet-id")


def _name() -> str:
    return f"n-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def network(member: User) -> str:
    """A network of the member's on a segment of its own."""
    made = member.cli.json(*NETWORK, "create", "--name", _name(), *SEGMENT, "10.0.0.0/24,10.0.0.1")
    return made["id"]


@pytest.fixture
def dhss(admin: User) -> Generator[str]:
    """A type of shares on share servers."""
    made = admin.cli.json("share", "type", "create", f"dhss-{uuid.uuid4().hex[:8]}", "True")
    yield made["name"]
    admin.cli("share", "type", "delete", made["id"])


def _subnets(shown: dict[str, Any]) -> str:
    return str(shown["share_network_subnets"])


def test_network_life(member: User, stranger: User, admin: User) -> None:
    name = _name()
    made = member.cli.json(
        *NETWORK, "create", "--name", name, "--description", "d", *SEGMENT, "10.0.0.0/24,10.0.0.1"
    )
    assert (made["name"], made["description"], made["status"]) == (name, "d", "active")
    assert "10.0.0.0/24" in _subnets(made)
    assert "vxlan" not in _subnets(member.cli.json(*NETWORK, "show", name))
    assert "vxlan" in _subnets(admin.cli.json(*NETWORK, "show", made["id"]))
    (row,) = member.cli.json(*NETWORK, "list", "--name", name)
    assert row["ID"] == made["id"]
    (row,) = member.cli.json(*NETWORK, "list", "--detail", "--neutron-net-id", "tenants")
    assert row["Status"] == "active"
    member.cli(*NETWORK, "set", name, "--description", "new")
    assert member.cli.json(*NETWORK, "show", name)["description"] == "new"
    member.cli(*NETWORK, "unset", name, "--description")
    member.cli(*NETWORK, "set", name, "--neutron-subnet-id", "10.3.0.0/24")
    assert "10.3.0.0/24" in _subnets(member.cli.json(*NETWORK, "show", name))
    assert stranger.cli.json(*NETWORK, "list") == []
    assert made["id"] in stranger.cli.refused(*NETWORK, "show", made["id"])
    assert made["id"] in {row["ID"] for row in admin.cli.json(*NETWORK, "list", "--all-projects")}
    admin.cli(*NETWORK, "set", made["id"], "--status", "error")
    assert member.cli.json(*NETWORK, "show", name)["status"] == "error"
    assert "403" in member.cli.refused(*NETWORK, "set", name, "--status", "active")
    member.cli(*NETWORK, "delete", name)
    assert member.cli.json(*NETWORK, "list") == []


def test_network_of_old_versions(member: User, network: str) -> None:
    shown = member.cli.at("2.50").json(*NETWORK, "show", network)
    assert (shown["cidr"], shown["gateway"], shown["mtu"], shown["segmentation_id"]) == (
        "10.0.0.0/24", "10.0.0.1", 1450, None)  # fmt: skip


def test_network_refusals(member: User) -> None:
    for more, said in (
        (("--neutron-net-id", "tenants"), "(HTTP 400)"),
        (("--neutron-net-id", "others", "--neutron-subnet-id", "10.0.0.0/24"), "not found"),
        ((*SEGMENT, "everything"), "not found"),
        (("--availability-zone", "nowhere"), "(HTTP 400)"),
    ):
        complaint = member.cli.refused(*NETWORK, "create", *more)
        assert said in complaint, complaint


def test_subnets(member: User, stranger: User, network: str) -> None:
    """N-I4."""
    made = member.cli.json(
        *SUBNET, "create", network, *SEGMENT, "10.0.1.0/24", "--availability-zone", "east",
        "--property", "k=v",
    )  # fmt: skip
    assert (made["availability_zone"], made["cidr"]) == ("east", "10.0.1.0/24")
    asked = member.cli.json(*SUBNET, "create", network, *SEGMENT, "10.0.2.0/24", "--check-only")
    assert asked["compatible"] is True
    default = member.cli.json(*SUBNET, "create", network, *SEGMENT, "10.0.2.0/24")
    member.cli(*SUBNET, "set", network, made["id"], "--property", "a=b")
    shown = member.cli.json(*SUBNET, "show", network, made["id"])
    assert "a" in str(shown["properties"])
    member.cli(*SUBNET, "unset", network, made["id"], "--property", "a")
    assert "409" in member.cli.refused(*NETWORK, "delete", network)
    assert network in stranger.cli.refused(*SUBNET, "show", network, made["id"])
    member.cli(*SUBNET, "delete", network, made["id"], default["id"])
    member.cli(*NETWORK, "delete", network)


def test_security_services(member: User, stranger: User, network: str, cloud: Cloud) -> None:
    """N-I10, X-7."""
    name, password = _name(), uuid.uuid4().hex
    made = member.cli.json(
        *SECURITY, "create", "ldap", "--name", name, "--dns-ip", "192.0.2.9", "--user", "u",
        "--password", password, "--domain", "example.org", "--ou", "shares",
    )  # fmt: skip
    assert (made["name"], made["type"], made["password"]) == (name, "ldap", password)
    state = cloud.server.state
    keys = state / "etc" / "secrets.keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640
    for file in (*(state / "db").iterdir(), cloud.server.log):
        assert password.encode() not in file.read_bytes(), file
    member.cli(*SECURITY, "set", name, "--description", "d", "--server", "ldap.example.org")
    shown = member.cli.json(*SECURITY, "show", name)
    assert (shown["description"], shown["server"]) == ("d", "ldap.example.org")
    member.cli(*SECURITY, "unset", name, "--description")
    second = member.cli.json(*SECURITY, "create", "ldap", "--name", _name())
    member.cli(*NETWORK, "set", network, "--new-security-service", name)
    (row,) = member.cli.json(*SECURITY, "list", "--share-network", network)
    assert row["ID"] == made["id"]
    assert "403" in member.cli.refused(*SECURITY, "delete", name)
    swap = ("--current-security-service", name, "--new-security-service", second["id"])
    member.cli(*NETWORK, "set", network, *swap, "--check-only")
    member.cli(*NETWORK, "set", network, *swap)
    (row,) = member.cli.json(*SECURITY, "list", "--share-network", network)
    assert row["ID"] == second["id"]
    member.cli(*NETWORK, "unset", network, "--security-service", second["id"])
    assert stranger.cli.json(*SECURITY, "list") == []
    assert made["id"] in stranger.cli.refused(*SECURITY, "show", made["id"])
    member.cli(*SECURITY, "delete", name, second["id"])
    assert member.cli.json(*SECURITY, "list") == []


def test_share_where_no_backend_handles_servers(member: User, network: str, dhss: str) -> None:
    """N-M1: said in a message."""
    made = member.cli.json(
        "share", "create", "NFS", "1", "--share-type", dhss, "--share-network", network
    )
    assert (made["status"], made["share_network_id"]) == ("error", network)
    (message,) = member.cli.json("share", "message", "list", "--resource-id", made["id"])
    assert "handles share servers" in message["User Message"]
    assert "409" in member.cli.refused(*NETWORK, "delete", network)
    missing = member.cli.refused("share", "create", "NFS", "1", "--share-type", dhss)
    assert "share_network_id" in missing
    plain = member.cli.refused("share", "create", "NFS", "1", "--share-network", network)
    assert "share_network_id" in plain
    member.cli("share", "delete", made["id"], "--wait")
    member.cli(*NETWORK, "delete", network)


def test_quota_of_networks(member: User, admin: User) -> None:
    """N-M2."""
    # The client would look for the project in Keystone.
    body = {"quota_set": {"share_networks": 1}}
    admin.api.call("PUT", f"/quota-sets/{member.project}", body)
    member.cli(*NETWORK, "create")
    assert "(HTTP 413)" in member.cli.refused(*NETWORK, "create")
    limits = {row["Name"]: row["Value"] for row in member.cli.json(
        "share", "limits", "show", "--absolute")}  # fmt: skip
    assert (limits["maxTotalShareNetworks"], limits["totalShareNetworksUsed"]) == (1, 1)


@pytest.fixture
def server(cloud: Cloud, network: str) -> str:
    """A share server of a host that is away, so that nobody acts on it."""
    db = Database(f"sqlite:///{cloud.server.state}/db/roadstead.sqlite")
    with db.write() as tx:
        found = share_networks.get(tx, everyone(), network)
        assert found
        wanted = share_servers.Wanted(
            host=f"away{uuid.uuid4().hex[:6]}@b", subnet_ids=(found.subnets[0].id,)
        )
        made, _ = share_servers.ensure_row(tx, found, wanted)
        share_servers.set_details(tx, made.id, {"netns": "x"})
    db.close()
    return made.id


def test_servers(admin: User, member: User, network: str, server: str) -> None:
    """N-M3."""
    (row,) = admin.cli.json(*SERVER, "list", "--share-network", network)
    assert (row["ID"], row["Status"], row["Share Network ID"]) == (server, "creating", network)
    shown = admin.cli.json(*SERVER, "show", server)
    assert shown["id"] == server
    assert admin.cli.json(*SERVER, "list", "--status", "active", "--host", "nowhere") == []
    assert "403" in member.cli.refused(*SERVER, "list")
    admin.cli(*SERVER, "set", server, "--status", "active")
    assert admin.cli.json(*SERVER, "show", server)["status"] == "active"
    admin.cli(*SERVER, "delete", server)
    assert admin.cli.json(*SERVER, "show", server)["status"] == "deleting"
    adopted = admin.cli.refused(*SERVER, "adopt", "node1@local", network, "old")
    assert "does not handle share servers" in adopted
    assert "exists" in admin.cli.refused(*SERVER, "show", "nobody")
