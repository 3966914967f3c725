"""`roadstead down` acts only where nobody would start again what it stops."""

import fcntl

import pytest

from roadstead.agent.takedown import take_down
from roadstead.config.load import load
from roadstead.model.errors import ConfigError

MEMORY = '[backends.a]\npool = "memory"\nexport = "memory"\naddresses = ["192.0.2.1"]\n'


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "roadstead.toml"
    file.write_text(MEMORY)
    return load(file, {}, state=tmp_path)


def test_it_says_what_to_stop_first_while_up_runs(config, tmp_path):
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="`roadstead up` is running: stop that first"):
            take_down(config)
    take_down(config)
