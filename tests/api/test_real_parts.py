"""The same commands with PostgreSQL below, and with real images and a real NFS server."""

import uuid
from collections.abc import Generator

import pytest

from tests.api.cli import Cli, OpenStackClient
from tests.lab.segment import Segment
from tests.live.service import Roadstead
from tests.services.postgres import Postgres


@pytest.fixture
def postgres_url(postgres: Postgres) -> Generator[str]:
    name = f"t_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def _smoke(server: Roadstead, client: OpenStackClient) -> None:
    """create, allow, extend, shrink, deny, delete."""
    environ = {"OS_CLIENT_CONFIG_FILE": str(server.clouds_file), "OS_CLOUD": "roadstead"}
    cli, api = Cli(client, environ), server.api()
    made = cli.json("share", "create", "NFS", "1", "--name", "s")
    api.wait_share(made["id"])
    assert cli.json("share", "export", "location", "list", "s")
    rules = [
        cli.json("share", "access", "create", "s", "ip", to, "--access-level", level)["id"]
        for to, level in (("10.0.0.0/24", "rw"), ("10.0.0.7", "ro"), ("fd00::/64", "rw"))
    ]
    for rule in rules:
        api.wait_rule(rule)
    for size in ("2", "1"):
        cli("share", "resize", "s", size)
        assert api.wait_share(made["id"])["size"] == int(size)
    for rule in rules:
        cli("share", "access", "delete", "s", rule)
        api.wait_gone(f"/share-access-rules/{rule}")
    cli("share", "delete", "s")
    api.wait_gone(f"/shares/{made['id']}")
    used = {r["Name"]: r["Value"] for r in cli.json("share", "limits", "show", "--absolute")}
    assert (used["totalSharesUsed"], used["totalShareGigabytesUsed"]) == (0, 0)
    assert cli.json("share", "message", "list") == []


@pytest.mark.pg
def test_postgresql(postgres_url: str, openstack_client: OpenStackClient) -> None:
    with Roadstead(pool="memory", export="memory", database=postgres_url) as server:
        _smoke(server, openstack_client)


@pytest.mark.real
def test_images_and_ganesha(openstack_client: OpenStackClient) -> None:
    # A namespace of its own: there is one port 2049 in the root's.
    with Segment() as segment, Roadstead(segment) as server:
        _smoke(server, openstack_client)
