"""The name that the state directory was begun with."""

import stat

import msgspec
import pytest

from roadstead.agent import takedown
from roadstead.config import identity
from roadstead.config import load as c
from roadstead.doctor import names as doctor_names
from roadstead.model.errors import ConfigError
from roadstead.up import supervisor


@pytest.fixture
def config(tmp_path):
    return c.load(None, {"ROADSTEAD_HOST": "a"}, state=tmp_path)


def test_it_is_noted_once_and_for_good(config):
    assert identity.known(config) is None
    identity.check(config)
    identity.remember(config)
    identity.remember(msgspec.structs.replace(config, host="b"))
    assert identity.known(config) == "a"
    assert stat.S_IMODE(identity.file_of(config).stat().st_mode) == 0o600
    assert [file.name for file in identity.file_of(config).parent.iterdir()] == ["host"]
    identity.check(config)


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_note_is_none(config, text):
    """What is left when the disk was full, or of a careless hand."""
    identity.file_of(config).parent.mkdir()
    identity.file_of(config).write_text(text)
    assert identity.known(config) is None
    identity.remember(config)
    assert identity.known(config) == "a"


def test_another_name_is_refused_by_all_that_would_act_on_it(config, capsys):
    identity.remember(config)
    renamed = msgspec.structs.replace(config, host="b")
    with pytest.raises(ConfigError, match='host "a", and this is host "b" now'):
        identity.check(renamed)
    with pytest.raises(ConfigError, match='Set host = "a"'):
        takedown.take_down(renamed)
    assert supervisor.run(renamed, children=[]) == 1
    assert 'Set host = "a"' in capsys.readouterr().err


def test_a_note_that_cannot_be_read_is_an_error(config):
    identity.file_of(config).mkdir(parents=True)
    with pytest.raises(ConfigError, match="etc/host"):
        identity.check(config)


def test_the_doctor_says_both_names(config):
    identity.remember(config)
    (good,) = doctor_names.names(config)
    assert (good.name, good.state, good.found) == ("host name", "ok", "a")
    (bad,) = doctor_names.names(msgspec.structs.replace(config, host="b"))
    assert (bad.state, bad.found) == ("missing", "a began it, b is configured")
    assert 'host = "a"' in bad.fix
