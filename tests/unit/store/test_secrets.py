"""The keys that seal secrets: made once, readable by owner and group, changed without loss."""

import os
import stat

import pytest
from typer.testing import CliRunner

from roadstead.cli.main import app
from roadstead.model.errors import ConfigError
from roadstead.model.share_networks import SecurityService
from roadstead.store import security_services
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone
from roadstead.store.secrets import SecretBox, add_key, ensure_key_file, forget_old_keys
from tests.factories import make_world


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "etc" / "secrets.keys"
    ensure_key_file(path, gid=os.getgid())
    return path


def test_the_file(keys):
    """X-7: for the agent and the API's group only; what is there stays."""
    before = keys.read_text()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640
    ensure_key_file(keys)
    assert keys.read_text() == before


def test_seal_and_open(keys):
    box = SecretBox(keys)
    sealed = box.seal("pässword")
    assert "pässword" not in sealed
    assert box.seal("pässword") != sealed
    assert SecretBox(keys).unseal(sealed) == "pässword"


def test_a_new_key_and_the_end_of_the_old_one(keys):
    box = SecretBox(keys)
    sealed = box.seal("secret")
    add_key(keys)
    assert box.unseal(sealed) == "secret"
    renewed = box.reseal(sealed)
    forget_old_keys(keys)
    assert len(keys.read_text().split()) == 1
    assert box.unseal(renewed) == "secret"
    with pytest.raises(ConfigError, match="no key") as caught:
        box.unseal(sealed)
    assert sealed not in str(caught.value)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640


@pytest.mark.parametrize("text", ["", "not a key", "x" * 44])
def test_unreadable_keys(tmp_path, text):
    path = tmp_path / "keys"
    path.write_text(text)
    for box in (SecretBox(path), SecretBox(tmp_path / "absent")):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            box.seal("secret")
        assert "secret " not in str(caught.value)


def test_the_command_keeps_every_secret(tmp_path):
    """X-7: rotated again and again, each password can still be read, and only two keys are kept."""
    world = make_world(f"sqlite:///{tmp_path}/db")
    keys = tmp_path / "etc" / "secrets.keys"
    ensure_key_file(keys)
    box = SecretBox(keys)
    made = SecurityService(
        id="s", project_id="p", type="ldap", sealed_password=box.seal("hush"), created_at=utcnow()
    )
    with world.db.write() as tx:
        security_services.insert(tx, made)
    (tmp_path / "roadstead.toml").write_text(f'database = "{world.db.url}"\n')
    sealed = {made.sealed_password}
    for turn in range(3):
        done = CliRunner().invoke(app, ["secrets", "rotate", "--state", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "1 secrets" in done.output
        assert len(keys.read_text().split()) == 2
        with world.db.read() as tx:
            found = security_services.get(tx, everyone(), "s")
        assert found is not None
        assert found.sealed_password not in sealed, turn
        sealed.add(found.sealed_password)
        assert box.unseal(found.sealed_password or "") == "hush"
    world.close()
