"""auth = "keystone": a real Keystone, the catalog, roles, projects and service tokens. D-M3."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from unittest import mock

import openstack
import pytest
import requests
import yaml

from roadstead.api.auth import AuthUnavailable
from roadstead.api.auth_keystone import KeystoneAuth
from roadstead.api.server import keystone_settings
from roadstead.config.sections import KeystoneConfig
from tests.api.cli import Cli, OpenStackClient
from tests.api.expired_token import expired
from tests.live.api import Api
from tests.live.service import Roadstead
from tests.services.keystone import ADMIN_PASSWORD, PASSWORD, Keystone

pytestmark = pytest.mark.xdist_group("keystone")


class Users:
    """Who Keystone knows, and what they send."""

    def __init__(self, server: Roadstead, keystone: Keystone, client: OpenStackClient) -> None:
        self.server = server
        self.keystone = keystone
        self.client = client

    def cli(self, user: str, project: str) -> Cli:
        return Cli(self.client, self.keystone.client_environment(user, project))

    def api(self, user: str, project: str) -> Api:
        return self.bearing(self.keystone.token(user, project))

    def bearing(self, token: str, service_token: str | None = None) -> Api:
        api = Api(self.server.url)
        api.session.headers["X-Auth-Token"] = token
        if service_token is not None:
            api.session.headers["X-Service-Token"] = service_token
        return api


@pytest.fixture(scope="module")
def users(keystone: Keystone, openstack_client: OpenStackClient) -> Generator[Users]:
    settings = {
        "api": {
            "auth": "keystone",
            "keystone": {"auth_url": keystone.url, "password": PASSWORD},
        }
    }
    with Roadstead(pool="memory", export="memory", settings=settings) as server:
        url = f"{server.url}/v2"
        keystone.seed({"shared-file-system": url, "sharev2": url})
        yield Users(server, keystone, openstack_client)


@pytest.fixture
def alice(users: Users) -> Generator[Cli]:
    """A member of tenA, whose shares go at the end."""
    yield users.cli("alice", "tenA")
    api = users.api("adm", "tenA")
    for share in api.get("/shares", all_tenants=1)["shares"]:
        api.delete_share(share["id"])


def test_from_create_to_delete_with_nothing_else_in_the_catalog(users: Users, alice: Cli) -> None:
    """D-M3: neither Neutron nor Nova nor Cinder is there to be asked."""
    found = users.keystone.validate(users.keystone.token("alice", "tenA"))
    assert found
    kinds = {entry["type"] for entry in found["catalog"]}
    assert not kinds & {"network", "compute", "volume", "volumev3", "block-storage", "image"}
    api = users.api("alice", "tenA")
    made = alice.json("share", "create", "NFS", "1", "--name", "s")
    assert made["project_id"] == users.keystone.projects["tenA"]
    assert made["user_id"] == users.keystone.users["alice"]
    api.wait_share(made["id"])
    rule = alice.json("share", "access", "create", "s", "ip", "10.0.0.1")
    api.wait_rule(rule["id"])
    alice("share", "resize", "s", "2")
    assert api.wait_share(made["id"])["size"] == 2
    alice("share", "access", "delete", "s", rule["id"])
    alice("share", "delete", "s")
    api.wait_gone(f"/shares/{made['id']}")


def test_by_command_line_options(users: Users) -> None:
    cli = Cli(users.client, {})
    assert cli.json(
        *("--os-auth-type", "password", "--os-auth-url", users.keystone.url),
        *("--os-username", "alice", "--os-password", PASSWORD, "--os-project-name", "tenA"),
        *("--os-user-domain-id", "default", "--os-project-domain-id", "default"),
        *("share", "availability", "zone", "list"),
    )


def test_only_the_older_service_type(users: Users, alice: Cli) -> None:
    """A catalog with `sharev2` alone leads here as well."""
    url = f"{users.server.url}/v2"
    _remove_service(users.keystone, "shared-file-system")
    try:
        assert alice.json("share", "list") == []
    finally:
        users.keystone.seed({"shared-file-system": url})


def _remove_service(keystone: Keystone, kind: str) -> None:
    headers = {"X-Auth-Token": keystone.token("admin", "admin", ADMIN_PASSWORD)}
    at = f"{keystone.url}/services"
    found = requests.get(at, params={"type": kind}, headers=headers, timeout=30).json()
    for service in found["services"]:
        requests.delete(f"{at}/{service['id']}", headers=headers, timeout=30).raise_for_status()


def test_roles(users: Users, alice: Cli) -> None:
    share_id = users.api("alice", "tenA").create_share(name="s")["id"]
    rita = users.cli("rita", "tenA")
    assert [row["Name"] for row in rita.json("share", "list")] == ["s"]
    for command in (("create", "NFS", "1"), ("delete", "s"), ("resize", "s", "2")):
        assert "(HTTP 403)" in rita.refused("share", *command)
    assert "(HTTP 403)" in alice.refused("share", "service", "list")
    adm = users.cli("adm", "tenA")
    assert adm.json("share", "service", "list")
    assert adm.json("share", "show", share_id)["host"] == "node1@local#memory"


def test_projects(users: Users, alice: Cli) -> None:
    share_id = users.api("alice", "tenA").create_share(name="s")["id"]
    bob = users.cli("bob", "tenB")
    assert bob.json("share", "list") == []
    assert f"No share with a name or ID of '{share_id}' exists" in bob.refused(
        "share", "show", share_id
    )
    assert "(HTTP 403)" not in bob.refused("share", "delete", share_id)
    direct = users.api("bob", "tenB")
    assert direct.send("GET", f"/shares/{share_id}").status_code == 404
    # a project in the URL must be the token's
    ours, theirs = (users.keystone.projects[name] for name in ("tenB", "tenA"))
    assert direct.send("GET", f"/{ours}/shares").status_code == 200
    assert direct.send("GET", f"/{theirs}/shares").status_code == 400
    assert users.api("alice", "tenA").share(share_id)["name"] == "s"


def test_administrators_find_shares_by_project_and_user(users: Users, alice: Cli) -> None:
    share_id = users.api("alice", "tenA").create_share(name="s")["id"]
    users.api("bob", "tenB").create_share(name="other")
    adm = users.cli("adm", "tenA")
    assert [row["ID"] for row in adm.json("share", "list", "--project", "tenA")] == [share_id]
    assert [row["Name"] for row in adm.json("share", "list", "--project", "tenB")] == ["other"]


def test_tokens_that_are_none(users: Users) -> None:
    for token in ("bogus", "", users.keystone.token("alice", "tenA")[:-5] + "AAAAA"):
        answer = users.bearing(token).send("GET", "/shares")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{users.keystone.url}"'
    answer = Api(users.server.url).send(
        "GET",
        "/shares",
        headers={"X-Identity-Status": "Confirmed", "X-Project-Id": "a" * 32, "X-Roles": "admin"},
    )
    assert answer.status_code == 401


def test_service_token(users: Users) -> None:
    """A user's token that ran out is good as long as a service vouches for the request."""
    keystone = users.keystone
    token = expired(keystone.token("alice", "tenA"), keystone.directory / "fernet")
    assert users.bearing(token).send("GET", "/shares").status_code == 401
    without_role = keystone.token("bob", "tenB")
    assert users.bearing(token, without_role).send("GET", "/shares").status_code == 401
    assert users.bearing(token, "bogus").send("GET", "/shares").status_code == 401
    vouched = users.bearing(token, keystone.token("nova", "service"))
    share = vouched.create_share(name="late")
    assert share["project_id"] == keystone.projects["tenA"]
    assert share["user_id"] == keystone.users["alice"]
    # it stays the user's request: the service's own rights are not lent
    assert vouched.send("GET", "/services").status_code == 403
    vouched.delete_share(share["id"])


def test_openstacksdk(users: Users, alice: Cli) -> None:
    environ = users.keystone.client_environment("alice", "tenA")
    environ["OS_SHARED_FILE_SYSTEM_DEFAULT_MICROVERSION"] = "2.82"
    with mock.patch.dict(os.environ, environ):
        manila = openstack.connect(load_yaml_config=False).shared_file_system
    made = manila.create_share(share_protocol="NFS", size=1, name="s")
    share = manila.wait_for_status(manila.get_share(made.id), "available", interval=0.05, wait=60)
    assert share.project_id == users.keystone.projects["tenA"]
    manila.delete_share(share.id)
    manila.wait_for_delete(share, interval=0.05, wait=60)


def test_quotas(users: Users, alice: Cli) -> None:
    adm = users.cli("adm", "tenA")
    at = ("share", "quota")
    assert alice.json(*at, "show", users.keystone.projects["tenA"])["shares"] == 50
    adm(*at, "set", "tenA", "--shares", "1", "--gigabytes", "5", "--per-share-gigabytes", "4")
    try:
        shown = adm.json(*at, "show", "tenA")
        assert (shown["shares"], shown["gigabytes"], shown["per_share_gigabytes"]) == (1, 5, 4)
        assert adm.json(*at, "show", "tenA", "--defaults")["shares"] == 50
        assert "4 GiB at most" in alice.refused("share", "create", "NFS", "5")
        users.api("alice", "tenA").create_share(name="s", size=2)
        detail = adm.json(*at, "show", "tenA", "--detail")
        assert detail["gigabytes"].splitlines() == ["in_use = 2", "limit = 5", "reserved = 0"]
        complaint = alice.refused("share", "create", "NFS", "1")
        assert "quota exceeded: 1 of 1 shares are in use" in complaint
        assert "(HTTP 413)" in complaint
        assert "1 are in use" in adm.refused(*at, "set", "tenA", "--shares", "0")
        assert "4 GiB at most (HTTP 413)" in alice.refused("share", "resize", "s", "40")
    finally:
        adm(*at, "delete", "tenA")
    assert adm.json(*at, "show", "tenA")["shares"] == 50


def test_quotas_are_set_by_administrators(users: Users, alice: Cli) -> None:
    project = users.keystone.projects["tenA"]
    assert "(HTTP 403)" in alice.refused("share", "quota", "set", project, "--shares", "99")
    assert "(HTTP 403)" in alice.refused("share", "quota", "delete", project)
    other = users.api("alice", "tenA").send("GET", f"/quota-sets/{users.keystone.projects['tenB']}")
    assert other.status_code == 403


def test_quota_class(users: Users) -> None:
    adm = users.cli("adm", "tenA")
    adm("share", "quota", "set", "default", "--class", "--snapshots", "7")
    try:
        assert adm.json("share", "quota", "show", "tenB")["snapshots"] == 7
    finally:
        adm("share", "quota", "set", "default", "--class", "--snapshots", "50")


def test_keystone_away() -> None:
    """A token that cannot be checked is not called wrong: clients would throw it away."""
    nowhere = KeystoneConfig(auth_url="http://127.0.0.1:1/v3", password="open-sesame")
    auth = KeystoneAuth(keystone_settings(nowhere))
    with pytest.raises(AuthUnavailable) as refusal:
        auth.identify({"REQUEST_METHOD": "GET", "HTTP_X_AUTH_TOKEN": "whatever"}, None)
    assert "open-sesame" not in str(refusal.value)


# --- the command `roadstead` ----------------------------------------------------------------------


def _roadstead(environ: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    """Typed by somebody with these OS_ variables and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    program = Path(sys.executable).with_name("roadstead")
    return subprocess.run(
        [program, *argv], env={**clean, **environ}, capture_output=True, text=True, timeout=60
    )


def test_our_command_logs_in_by_password(users: Users, alice: Cli) -> None:
    share_id = users.api("alice", "tenA").create_share(name="s")["id"]
    environ = users.keystone.client_environment("alice", "tenA")
    done = _roadstead(environ, "explain", "s", "-f", "value", "-c", "share_id")
    assert (done.stdout, done.stderr) == (f"{share_id}\n", "")
    refused = _roadstead(environ, "gateways")
    assert (refused.returncode, "(403)" in refused.stderr) == (1, True)
    assert _roadstead(users.keystone.client_environment("adm", "tenA"), "gateways").returncode == 0


def test_our_command_logs_in_by_clouds_yaml(users: Users, tmp_path: Path) -> None:
    """By password, and by an application credential."""
    url = users.keystone.url
    made = _application_credential(users)
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    password = {"username": "alice", "password": PASSWORD, "project_name": "tenA", **domains}
    credential = {"application_credential_id": made["id"]}
    credential["application_credential_secret"] = made["secret"]
    clouds = {
        "pw": {"auth": {"auth_url": url, **password}},
        "app": {"auth_type": "v3applicationcredential", "auth": {"auth_url": url, **credential}},
    }
    file = tmp_path / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": clouds}))
    for cloud in clouds:
        done = _roadstead({"OS_CLIENT_CONFIG_FILE": str(file)}, "--os-cloud", cloud, "vms")
        assert (done.returncode, done.stderr) == (0, "")


def _application_credential(users: Users) -> dict[str, str]:
    at = f"{users.keystone.url}/users/{users.keystone.users['alice']}/application_credentials"
    headers = {"X-Auth-Token": users.keystone.token("alice", "tenA")}
    body = {"application_credential": {"name": "ours", "secret": "s3cret"}}
    answer = requests.post(at, json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()["application_credential"]


def test_our_command_tells_in_a_line_why_it_cannot_log_in(users: Users) -> None:
    good = users.keystone.client_environment("alice", "tenA")
    without = {name: value for name, value in good.items() if name != "OS_PASSWORD"}
    for environ, told in (
        ({**good, "OS_PASSWORD": "guess"}, "401"),
        (without, "password"),
        ({**good, "OS_AUTH_URL": "http://127.0.0.1:1/v3"}, "Keystone does not answer"),
        ({**good, "OS_REGION_NAME": "Mars"}, "shows no shared-file-system"),
    ):
        done = _roadstead(environ, "vms")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("roadstead: ")
        assert done.stderr.count("\n") == 1, done.stderr
        assert told in done.stderr
        assert "guess" not in done.stderr
