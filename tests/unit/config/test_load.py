"""The configuration: defaults, the file, the environment, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from roadstead.config import load as c
from roadstead.config import reference as config_reference
from roadstead.config.sections import (
    ApiConfig,
    BackendConfig,
    Config,
    FilerConfig,
    KeystoneConfig,
    NetworkConfig,
    ProjectConfig,
    StandbyConfig,
    StorageConfig,
)
from roadstead.model.errors import ConfigError
from roadstead.process.log import redact


def _file(directory: Path, text: str) -> Path:
    path = directory / "roadstead.toml"
    path.write_text(text)
    return path


def test_the_printed_reference_is_the_defaults(tmp_path):
    path = _file(tmp_path, config_reference.reference())
    assert c.load(path, {}) == c.load(_file(tmp_path, ""), {})


def test_the_reference_has_every_key_with_a_comment():
    lines = config_reference.reference().splitlines()
    sections = (Config, ApiConfig, KeystoneConfig, BackendConfig, ProjectConfig)
    of_gateways = (FilerConfig, StorageConfig, StandbyConfig)
    for section in (*sections, NetworkConfig, *of_gateways):
        for key in section.__struct_fields__:
            if key in (
                "api",
                "backends",
                "standbys",
                "projects",
                "networks",
                "network",
                "keystone",
                "quota",
                "compute",
                "filer",
                "storage",
            ):
                continue
            at = next(n for n, line in enumerate(lines) if line.lstrip("# ").startswith(f"{key} ="))
            assert lines[at - 1].startswith("#"), key


def test_the_effective_configuration_round_trips_without_passwords(tmp_path):
    config = c.load(
        _file(
            tmp_path,
            'database = "postgresql+psycopg://rs:hush@db/rs"\n'
            '[api]\nauth = "keystone"\n'
            '[api.keystone]\nauth_url = "http://k/v3"\npassword = "hush"\n'
            '[backends.a.filer]\naddresses = ["192.0.2.1"]\n'
            '[backends.a.filer.control_options]\napi_token = "hush"\nport = 22\n',
        ),
        {},
    )
    shown = config_reference.effective(config)
    assert "hush" not in shown
    assert "hush" in config_reference.effective(config, secrets=True)
    read = tomllib.loads(shown)
    assert read["api"]["keystone"]["auth_url"] == "http://k/v3"
    assert read["backends"]["a"]["filer"]["control_options"] == {"api_token": "***", "port": 22}


def test_without_backends_there_is_one_local(tmp_path):
    config = c.load(_file(tmp_path, ""), {}, state=tmp_path)
    backend = config.backends["local"]
    assert (backend.pool, backend.export, backend.roads) == ("image", "ganesha", ("direct",))
    assert backend.addresses
    assert (backend.pool_options, backend.export_options) == ({}, {})
    assert config.database == f"sqlite:///{tmp_path}/db/roadstead.sqlite"
    assert config.run_directory == f"{tmp_path}/run"
    assert config.quota["gigabytes"] == 1000


def test_the_file_of_the_state_directory_is_found(tmp_path):
    _file(tmp_path, "message_days = 3\n")
    assert c.load(None, {}, state=tmp_path).message_days == 3
    assert c.load(None, {"ROADSTEAD_STATE_DIRECTORY": str(tmp_path)}).message_days == 3
    other = tmp_path / "other.toml"
    other.write_text("message_days = 4\n")
    assert c.load(None, {"ROADSTEAD_CONFIG": str(other)}, state=tmp_path).message_days == 4


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("grant_timeout_seconds = 7\n", {}),
        ("", {"ROADSTEAD_GRANT_TIMEOUT_SECONDS": "7"}),
        ("operation_timeout_seconds = 5\n", {"ROADSTEAD_GRANT_TIMEOUT_SECONDS": "7"}),
    ],
)
def test_a_key_by_its_old_name_counts_and_is_told(tmp_path, text, environ):
    path = _file(tmp_path, text)
    with pytest.warns(FutureWarning, match="grant_timeout_seconds.*operation_timeout_seconds now"):
        assert c.load(path, environ, state=tmp_path).operation_timeout_seconds == 7


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_key_by_both_names_is_refused(tmp_path):
    path = _file(tmp_path, "grant_timeout_seconds = 7\noperation_timeout_seconds = 5\n")
    with pytest.raises(ConfigError, match=r"grant_timeout_seconds.*is there, too"):
        c.load(path, {}, state=tmp_path)


def test_the_environment_is_over_the_file(tmp_path):
    path = _file(tmp_path, "[api]\nport = 1\n[backends.a]\nreserved_percentage = 5\n")
    config = c.load(
        path,
        {
            "ROADSTEAD_API__PORT": "8000",
            "ROADSTEAD_API__USER": "12",
            "ROADSTEAD_PROTOCOLS": '["NFS", "CIFS"]',
            "ROADSTEAD_BACKENDS__A__ADDRESSES": '["192.0.2.1"]',
            "ROADSTEAD_BACKENDS__A__POOL_OPTIONS__BACKING_GIB": "2",
            "ROADSTEAD_LAB_ACCEL": "tcg",
            "UNRELATED": "x",
        },
    )
    assert (config.api.port, config.api.user) == (8000, "12")
    assert config.protocols == ("NFS", "CIFS")
    assert config.backends["a"].addresses == ("192.0.2.1",)
    assert config.backends["a"].reserved_percentage == 5
    assert config.backends["a"].pool_options["backing_gib"] == 2


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("messages_days = 1", {}, r"messages_days.*nearest is message_days"),
        ("[api]\nprot = 1", {}, r"api\.prot.*nearest is api\.port"),
        ("[backends.x]\npol = 'image'", {}, r"backends\.x\.pol.*backends\.x\.pool"),
        ("", {"ROADSTEAD_API__TREADS": "1"}, r"ROADSTEAD_API__TREADS.*api\.threads"),
        ("[api]\nport = 'x'", {}, r"api\.port"),
        ("[api]\nport = 70000", {}, r"api\.port"),
        ("[api]\nauth = 'some'", {}, r"api\.auth"),
        ("[api]\nauth = 'none'\nbind = '0.0.0.0'", {}, r"api\.auth.*loopback"),
        ("[api]\nbind = 'everywhere'", {}, r"api\.bind"),
        ("[api]\nauth = 'keystone'", {}, r"api\.keystone\.auth_url"),
        ("[quota]\nshoes = 1", {}, r"quota\.shoes"),
        ("[projects.p]\npermitted_cidrs = ['10.0.0.1/8']", {}, r"projects\.p\.permitted_cidrs"),
        ("[backends.x]\nnetns = 'n'", {}, r"backends\.x\.addresses"),
        ("[backends.x]\naddresses = ['nowhere']", {}, r"backends\.x\.addresses"),
        ("[backends.'a b']\n", {}, r"backends\.a b"),
        ("[networks.a]\nids = 'x'", {}, r"networks\.a\.ids"),
        ("[networks.a]\nids = '9-3'", {}, r"networks\.a\.ids"),
        ("[networks.a]\n", {}, r"networks\.a\.ids"),
        ("[networks.a]\ntype = 'vlan'\nids = '1'", {}, r"networks\.a\.physical_network"),
        ("[networks.a]\ntype = 'flat'\nphysical_network = 'p'", {}, r"networks\.a\.subnets"),
        ("[networks.a]\nids = '1'\nsubnets = ['x']", {}, r"networks\.a\.subnets"),
        ("[networks.a]\nids = '1-5'\n[networks.b]\nids = '5-9'", {}, r"networks\.b.*as a"),
        ("[networks.a]\ntype = 'vlan'\nids = '4095'\nphysical_network = 'p'", {}, r"a\.ids.*4094"),
        ("[networks.'a b']\nids = '1'", {}, r"networks\.a b"),
        ("host = ", {}, r"roadstead\.toml"),
        ("api = 3", {}, r"api"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, environ, said):
    with pytest.raises(ConfigError, match=said):
        c.load(_file(tmp_path, text), environ)


def test_auth_none_on_loopback_is_fine(tmp_path):
    for bind in ("127.0.0.1", "::1", "localhost"):
        text = f"[api]\nauth = 'none'\nbind = '{bind}'"
        assert c.load(_file(tmp_path, text), {}).api.auth == "none"


def test_a_host_of_vms_only_has_no_backend(tmp_path):
    assert set(c.load(_file(tmp_path, ""), {}).backends) == {"local"}
    text = "[backends]\n[compute]\nhypervisor = 'libvirt'"
    assert c.load(_file(tmp_path, text), {}).backends == {}


def test_children_read_exactly_what_was_decided(tmp_path):
    config = c.load(_file(tmp_path, "[projects.abc]\npermitted_cidrs = ['10.0.0.0/8']"), {})
    path = tmp_path / "config.json"
    c.write_effective(config, path)
    assert c.read_effective(path) == config
    assert path.stat().st_mode & 0o777 == 0o640


def test_logs_have_no_secrets():
    event = {
        "event": "GET with X-Auth-Token: gAAAAAB and postgresql+psycopg://rs:hush@db/rs",
        "password": "hush",
        "headers": {"Authorization": "Basic aHVzaA==", "Accept": "json"},
        "error": "Authorization: Basic aHVzaGh1c2g=",
        "access_key": "hush",
        "resource": "token_count is fine",
    }
    shown = str(redact(None, "info", event))
    for secret in ("hush", "gAAAAAB", "aHVza"):
        assert secret not in shown
    assert "json" in shown
    assert "db/rs" in shown
