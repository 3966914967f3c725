"""auth = "http_basic", the default, and auth = "none". Both without a Keystone."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from unittest import mock

import openstack
import pytest

from tests.api.cli import Cli, OpenStackClient
from tests.api.cloud import PASSWORD, Cloud, User
from tests.live.api import Api
from tests.live.service import Roadstead


def test_clouds_of_the_first_start(cloud: Cloud, openstack_client: OpenStackClient) -> None:
    """The clouds.yaml that the first start wrote works with both clients, as it is."""
    environ = {"OS_CLIENT_CONFIG_FILE": str(cloud.server.clouds_file)}
    demo = Cli(openstack_client, {**environ, "OS_CLOUD": "roadstead"})
    made = demo.json("share", "create", "NFS", "1")
    cloud.server.api().wait_share(made["id"])
    with mock.patch.dict(os.environ, environ):
        manila = openstack.connect(cloud="roadstead").shared_file_system
    manila.resize_share(made["id"], 2)
    cloud.server.api().wait_share(made["id"])
    admin = Cli(openstack_client, {**environ, "OS_CLOUD": "roadstead-admin"})
    assert made["id"] in {row["ID"] for row in admin.json("share", "list", "--all-projects")}
    demo("share", "delete", made["id"])
    cloud.server.api().wait_gone(f"/shares/{made['id']}")


def test_the_program_itself(cloud: Cloud) -> None:
    """`openstack` as started by a shell; the other tests keep it loaded to save time."""
    assert isinstance(cloud.server.openstack_json("share", "list"), list)


def test_by_environment(cloud: Cloud, member: User, openstack_client: OpenStackClient) -> None:
    environ = {
        "OS_AUTH_TYPE": "http_basic",
        "OS_ENDPOINT": f"{cloud.server.url}/v2",
        "OS_USERNAME": member.name,
        "OS_PASSWORD": PASSWORD,
    }
    made = Cli(openstack_client, environ).json("share", "create", "NFS", "1")
    assert made["project_id"] == member.project
    wrong = Cli(openstack_client, {**environ, "OS_PASSWORD": "guess"})
    assert "401" in wrong.refused("share", "list")


def test_wrong_credentials(cloud: Cloud, member: User) -> None:
    for user, password in ((member.name, "x"), ("nobody", PASSWORD), (None, "")):
        answer = Api(cloud.server.url, user, password).send("GET", "/shares")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_a_user_added_by_the_command_counts_at_once(
    cloud: Cloud, openstack_client: OpenStackClient
) -> None:
    """What `roadstead users add` prints is all that the client needs."""
    name = f"u{uuid.uuid4().hex[:8]}"
    server = cloud.server
    done = server.run("roadstead", "users", "add", name, "--role", "reader",
                      "--state", str(server.state))  # fmt: skip
    words = [word for word in done.stdout.split() if word.startswith("OS_")]
    cli = Cli(openstack_client, dict(word.split("=", 1) for word in words))
    assert cli.json("share", "list") == []
    assert "(HTTP 403)" in cli.refused("share", "create", "NFS", "1")


def test_none_everybody_is_administrator(openstack_client: OpenStackClient) -> None:
    settings = {"api": {"auth": "none"}}
    with Roadstead(pool="memory", export="memory", settings=settings) as server:
        environ = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"{server.url}/v2"}
        cli, api = Cli(openstack_client, environ), Api(server.url)
        made = cli.json("share", "create", "NFS", "1", "--name", "s")
        api.wait_share(made["id"])
        assert cli.json("share", "service", "list")
        cli("share", "resize", "s", "2")
        api.wait_share(made["id"])
        token = {"OS_AUTH_TYPE": "admin_token", "OS_ENDPOINT": f"{server.url}/v2",
                 "OS_TOKEN": "anything"}  # fmt: skip
        assert [r["Size"] for r in Cli(openstack_client, token).json("share", "list")] == [2]
        with mock.patch.dict(os.environ, environ):
            manila = openstack.connect(load_yaml_config=False).shared_file_system
        assert [share.name for share in manila.shares()] == ["s"]
        assert not server.clouds_file.exists()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_none_is_for_loopback_only(address: str, tmp_path: Path) -> None:
    config = f'[api]\nauth = "none"\nbind = "{address}"\n'
    (tmp_path / "roadstead.toml").write_text(config)
    done = subprocess.run(
        [Path(sys.executable).with_name("roadstead"), "up", "--state", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert f'"none" listens on loopback only, api.bind is {address}' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["roadstead.toml"]
