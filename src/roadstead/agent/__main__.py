"""The agent's process."""

import roadstead.process.slim  # noqa: F401  # pyright: ignore[reportUnusedImport] -- first

# isort: split

import argparse
import os
import signal
import sys
from typing import NoReturn

from roadstead.agent.agent import Agent
from roadstead.agent.only_one import only_one
from roadstead.config import identity
from roadstead.config.load import read_effective
from roadstead.engine.unpickling import forbid_unpickling
from roadstead.model.errors import ConfigError
from roadstead.process.log import setup_logging


def main() -> None:
    """`python -m roadstead.agent --config FILE`: run until SIGTERM. EX_CONFIG when it never could
    with this configuration."""
    forbid_unpickling()
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    config = read_effective(parser.parse_args().config)
    setup_logging()
    try:
        identity.check(config)
        agent = Agent(config)
    except ConfigError as error:
        _refuse(error)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: agent.stop())
        with only_one(config):
            agent.run()
    except identity.AnotherHost as error:
        _refuse(error)


def _refuse(error: ConfigError) -> NoReturn:
    sys.stderr.write(f"roadstead: {error}\n")
    sys.exit(os.EX_CONFIG)


if __name__ == "__main__":
    main()
