"""The first start: users, passwords, clouds.yaml."""

import base64
import os
from pathlib import Path

import pytest
import yaml

from roadstead.api.auth import NoIdentity
from roadstead.api.auth_basic import BasicAuth
from roadstead.config import load as c
from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError
from roadstead.process.privileges import Account
from roadstead.up.bootstrap import add_user, bootstrap, endpoint


@pytest.fixture
def config(tmp_path) -> Config:
    return c.load(None, {}, state=tmp_path)


@pytest.fixture
def me() -> Account:
    return Account("me", os.getuid(), os.getgid())


def _identify(config: Config, name: str, password: str):
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    auth = BasicAuth(Path(config.api.users_file))
    return auth.identify({"HTTP_AUTHORIZATION": f"Basic {credentials}"}, None)


def test_the_clouds_lead_to_the_users(config, me, capsys):
    bootstrap(config, me)
    path = Path(config.state_directory) / "clouds.yaml"
    assert str(path) in capsys.readouterr().out
    clouds = yaml.safe_load(path.read_text())["clouds"]
    projects = set()
    for cloud, name, roles in (
        ("roadstead", "demo", ("member", "reader")),
        ("roadstead-admin", "admin", ("admin",)),
    ):
        assert clouds[cloud]["auth_type"] == "http_basic"
        auth = clouds[cloud]["auth"]
        assert (auth["endpoint"], auth["username"]) == ("http://127.0.0.1:8786/v2", name)
        identity = _identify(config, name, auth["password"])
        assert identity.roles == roles
        projects.add(identity.project_id)
    assert len(projects) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert Path(config.api.users_file).stat().st_mode & 0o777 == 0o640


def test_nothing_is_overwritten(config, me, capsys):
    bootstrap(config, me)
    files = [Path(config.state_directory) / "clouds.yaml", Path(config.api.users_file)]
    before = [f.read_text() for f in files]
    capsys.readouterr()
    bootstrap(config, me)
    assert [f.read_text() for f in files] == before
    assert capsys.readouterr().out == ""
    files[1].unlink()
    with pytest.raises(ConfigError, match="users_file"):
        bootstrap(config, me)
    assert files[0].read_text() == before[0]


def test_a_start_killed_between_the_files_is_completed(config, me, monkeypatch):
    users, clouds = Path(config.api.users_file), Path(config.state_directory) / "clouds.yaml"
    real = Path.rename
    for killed_at in (users, clouds):

        def rename(self, target, killed_at=killed_at):
            if Path(target) == killed_at:
                raise KeyboardInterrupt
            return real(self, target)

        monkeypatch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            bootstrap(config, me)
        monkeypatch.undo()
        bootstrap(config, me)
        password = yaml.safe_load(clouds.read_text())["clouds"]["roadstead"]["auth"]["password"]
        assert _identify(config, "demo", password).user_id == "demo"
        users.unlink()
        clouds.unlink()


def test_other_modes_need_no_users(tmp_path, me):
    config = c.load(None, {"ROADSTEAD_API__AUTH": "none"}, state=tmp_path)
    bootstrap(config, me)
    assert list(tmp_path.iterdir()) == []


def test_a_user_is_added_once(config, me):
    bootstrap(config, me)
    users = Path(config.api.users_file)
    password, project = add_user(users, "eve", roles=["reader"])
    identity = _identify(config, "eve", password)
    assert (identity.project_id, identity.roles) == (project, ("reader",))
    with pytest.raises(NoIdentity):
        _identify(config, "eve", password + "x")
    with pytest.raises(ValueError, match="already"):
        add_user(users, "eve")
    for name in ("", "a b", "a:b", "#a"):
        with pytest.raises(ValueError, match="name"):
            add_user(users, name)
    with pytest.raises(ValueError, match="project"):
        add_user(users, "bob", project_id="a:b")
    with pytest.raises(ValueError, match="role"):
        add_user(users, "bob", roles=["a\nx:y"])


def test_the_endpoint_is_one_clients_reach(tmp_path):
    for bind, expected in (
        ("0.0.0.0", "http://127.0.0.1:8786/v2"),
        ("::", "http://[::1]:8786/v2"),
        ("192.0.2.7", "http://192.0.2.7:8786/v2"),
    ):
        config = c.load(None, {"ROADSTEAD_API__BIND": bind}, state=tmp_path)
        assert endpoint(config) == expected
    config = c.load(None, {"ROADSTEAD_API__BASE_URL": "https://shares.example/"}, state=tmp_path)
    assert endpoint(config) == "https://shares.example/v2"
