"""Where commands find out who asks: clouds.yaml, OS_ variables, Keystone."""

import sys

import pytest

from roadstead.cli.login import credentials
from roadstead.config.sections import ApiConfig, Config
from roadstead.model.errors import ConfigError

CLOUDS = """\
clouds:
  roadstead-admin:
    auth_type: http_basic
    auth: {endpoint: "http://10.0.0.1:8786/v2", username: admin, password: "s3:cret"}
  token:
    auth_type: v3token
    auth: {endpoint: "https://cloud/share/v2/abc", token: t0k}
  broken:
    auth_type: http_basic
    auth:
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
    assert credentials(config, None, {"OS_CLOUD": ""}).url == "http://10.0.0.1:8786"


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
        (None, {"OS_CLIENT_CONFIG_FILE": "/nowhere/clouds.yaml"}, "cannot be read"),
        (None, {"OS_ENDPOINT": "http://h/v2", "OS_AUTH_TYPE": "password"}, "wants OS_AUTH_URL"),
        (None, {"OS_ENDPOINT": "http://h:port/v2"}, "no endpoint like"),
        (None, {"OS_ENDPOINT": "h/v2"}, "no endpoint like"),
        ("broken", {}, r"got `null` - at `\$.auth`"),
    ],
)
def test_what_is_missing_is_told(config, cloud, environ, told):
    with pytest.raises(ConfigError, match=told) as refused:
        credentials(config, cloud, environ)
    assert "s3:cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "clouds: [", "clouds:", "- 1", "\x00"])
def test_a_file_that_is_no_clouds_yaml(config, tmp_path, text):
    (tmp_path / "clouds.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"clouds\.yaml is no clouds\.yaml"):
        credentials(config, None, {})


def test_a_cloud_of_the_users_own_file(config, tmp_path):
    """Where the stock client looks, too."""
    home = tmp_path / "home"
    (home / "openstack").mkdir(parents=True)
    own = CLOUDS.replace("roadstead-admin", "mine").replace("10.0.0.1", "10.0.0.3")
    (home / "openstack" / "clouds.yaml").write_text(own)
    found = credentials(config, "mine", {"XDG_CONFIG_HOME": str(home)})
    assert (found.url, found.source) == (
        "http://10.0.0.3:8786", f"cloud mine of {home}/openstack/clouds.yaml",
    )  # fmt: skip
    # what this machine says of a name comes first
    found = credentials(config, "token", {"XDG_CONFIG_HOME": str(home)})
    assert str(tmp_path / "clouds.yaml") in found.source


def test_nobody_has_to_be_anybody_where_auth_is_none(tmp_path):
    config = Config(state_directory=str(tmp_path), api=ApiConfig(auth="none", port=1234))
    found = credentials(config, None, {})
    assert (found.url, found.headers) == ("http://127.0.0.1:1234", {})


@pytest.mark.parametrize(
    ("environ", "verify"),
    [
        ({}, True),
        ({"OS_CACERT": "/ca.pem"}, "/ca.pem"),
        ({"OS_INSECURE": "true"}, False),
    ],
)
def test_whose_certificates_are_trusted(config, environ, verify):
    assert credentials(config, "token", environ).verify == verify


def test_what_keystone_needs_is_told_where_it_is_missing(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "keystoneauth1.exceptions", None)
    with pytest.raises(ConfigError, match=r"pip install 'roadstead\[openstack\]'") as refused:
        credentials(config, None, {"OS_AUTH_URL": "http://keystone/v3"})
    assert "OS_AUTH_TYPE=token" in str(refused.value)
    assert credentials(config, "token", {}).url == "https://cloud/share"
