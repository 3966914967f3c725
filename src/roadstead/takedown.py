"""`roadstead down`: what an ended `roadstead up` left serving is stopped; nothing is lost."""

import os

from roadstead.agent import make_backends, only_one
from roadstead.config import Config


def take_down(config: Config) -> None:
    """No export server runs and no pool is mounted. ConfigError while the agent runs; InUse when
    somebody has a share open (then the exports are stopped, and its pool stays mounted)."""
    os.makedirs(config.run_directory, exist_ok=True)
    with only_one(config):
        backends = make_backends(config).values()
        for backend in backends:
            backend.export.stop_all()
        for backend in backends:
            backend.pool.ensure_unmounted()
