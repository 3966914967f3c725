"""The commands that ask the API: where they find credentials, and what they print."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import structlog.testing
from typer.testing import CliRunner

from roadstead.api.app import make_app
from roadstead.api.auth import NoAuth
from roadstead.cli import app
from roadstead.client import credentials
from roadstead.config import Config
from roadstead.model.errors import ConfigError
from roadstead.service import access
from roadstead.service.access import NewRule
from tests.factories import World, make_caller, make_share

CLOUDS = """\
clouds:
  roadstead-admin:
    auth_type: http_basic
    auth: {endpoint: "http://10.0.0.1:8786/v2", username: admin, password: "s3:cret"}
  token:
    auth_type: v3token
    auth: {endpoint: "https://cloud/share/v2/abc", token: t0k}
  keystone:
    auth: {auth_url: "http://keystone/v3"}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    return Config(state_directory=str(tmp_path))


def test_the_administrator_of_the_first_start_is_who_asks(config):
    found = credentials(config, None, {})
    assert found.url == "http://10.0.0.1:8786"
    assert found.headers == {"Authorization": "Basic YWRtaW46czM6Y3JldA=="}


def test_a_named_cloud_comes_before_the_environment(config, tmp_path):
    environ = {"OS_ENDPOINT": "http://other/v2", "OS_CLOUD": "roadstead-admin"}
    assert credentials(config, "token", environ).url == "https://cloud/share"
    assert credentials(config, "token", environ).headers == {"X-Auth-Token": "t0k"}
    assert credentials(config, None, environ).url == "http://10.0.0.1:8786"
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(CLOUDS.replace("10.0.0.1", "10.0.0.2"))
    environ = {"OS_CLIENT_CONFIG_FILE": str(elsewhere)}
    assert credentials(config, None, environ).url == "http://10.0.0.2:8786"


def test_variables_alone_are_enough(config):
    environ = {
        "OS_AUTH_TYPE": "http_basic", "OS_ENDPOINT": "http://h:1/v2/", "OS_USERNAME": "a",
        "OS_PASSWORD": "b",
    }  # fmt: skip
    found = credentials(config, None, environ)
    assert (found.url, found.headers) == ("http://h:1", {"Authorization": "Basic YTpi"})


@pytest.mark.parametrize(
    ("cloud", "environ", "told"),
    [
        ("nowhere", {}, "no cloud 'nowhere'"),
        ("keystone", {}, "no endpoint"),
        (None, {"OS_CLIENT_CONFIG_FILE": "/nowhere/clouds.yaml"}, "cannot be read"),
        (None, {"OS_ENDPOINT": "http://h/v2", "OS_AUTH_TYPE": "password"}, "OS_AUTH_TYPE=token"),
    ],
)
def test_what_is_missing_is_told(config, cloud, environ, told):
    with pytest.raises(ConfigError, match=told) as refused:
        credentials(config, cloud, environ)
    assert "s3:cret" not in str(refused.value)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None: ...


@pytest.fixture
def environ(world: World) -> Iterator[dict[str, str]]:
    """Variables that lead to a real HTTP server."""
    server = make_server(
        "127.0.0.1", 0, make_app(world.service, auth=NoAuth()), handler_class=_Quiet
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    # The service's log would mix with the command's output: they share a process only here.
    with structlog.testing.capture_logs():
        yield {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"http://127.0.0.1:{server.server_port}/v2"}
    server.shutdown()
    thread.join()
    server.server_close()


def _run(environ: dict[str, str], *argv: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, argv, env=environ)
    return done.exit_code, done.output


@pytest.fixture
def named(world: World):
    caller = make_caller()
    share = make_share(world, caller, name="[bold]odd")
    new = NewRule(access_type="ip", access_to="10.0.0.0/8", access_level="ro")
    access.allow(world.service, caller, share.id, new)
    return share


def test_explain_by_name_and_by_id(environ, named):
    """D-I8, D-M1."""
    status, text = _run(environ, "explain", "[bold]odd", "--client", "10.0.0.7")
    assert status == 0
    for word in ("[bold]odd", "direct", "acl", "node1@local#memory", "10.0.0.7: admitted (ro)"):
        assert word in text
    assert f"192.0.2.1:/share-{named.instance_id}" in text
    assert "never probed" in text
    status, text = _run(environ, "explain", named.id, "--json")
    assert json.loads(text)["share_id"] == named.id


def test_probe_tells_its_verdict_by_its_status(environ, named, world):
    status, text = _run(environ, "probe", named.id)
    assert status == 0
    assert "good" in text
    assert "127.0.0.2" in text
    world.pool.ensure_share_absent(named.instance_id)
    status, text = _run(environ, "probe", named.id, "--json")
    assert (status, json.loads(text)["verdict"]) == (1, "broken")


def test_operations_and_drift(environ, named, world):
    status, text = _run(environ, "operations", "--share", named.id)
    assert status == 0
    assert [line.split()[1] for line in text.splitlines()] == [
        "verb", "access.apply", "share.create",
    ]  # fmt: skip
    assert named.id in text
    status, text = _run(environ, "operations", "--verb", "share.create", "--json")
    assert [found["verb"] for found in json.loads(text)] == ["share.create"]
    world.pool.ensure_share_absent(named.instance_id)
    world.sweep.run()
    status, text = _run(environ, "drift")
    assert status == 0
    assert "set to error" in text


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("explain", "nobody"), "no share is named 'nobody'"),
        (("explain", "00000000-0000-4000-8000-000000000000"), "could not be found (404)"),
        (("explain", "[bold]odd", "--client", "vm1"), "must be an IPv4 or IPv6 address"),
    ],
)
def test_a_refusal_is_one_line(environ, named, argv, told):
    status, text = _run(environ, *argv)
    assert status == 1
    assert text.startswith("roadstead: ")
    assert told in text


def test_a_name_that_two_shares_have_is_refused(environ, world):
    caller = make_caller()
    for _ in range(2):
        make_share(world, caller, name="twin")
    status, text = _run(environ, "probe", "twin")
    assert (status, text) == (1, "roadstead: 2 shares are named 'twin'\n")


def test_nobody_answers(named):
    environ = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:9/v2"}
    status, text = _run(environ, "drift")
    assert status == 1
    assert "does not answer" in text


def test_up_loads_nothing_of_this():
    """What `roadstead up` imports before it replaces itself."""
    code = "import sys, roadstead.cli; print([m for m in sys.argv[1:] if m in sys.modules])"
    names = ("rich.table", "requests", "yaml", "roadstead.client", "http.client")
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
