"""`roadstead down`: what an ended `roadstead up` left serving is stopped; nothing is lost."""

import os
from pathlib import Path

from roadstead.agent.backends import make_backends
from roadstead.agent.compute import make_compute
from roadstead.agent.networks import make_failover, make_network
from roadstead.agent.networks import take_down as take_down_network
from roadstead.agent.only_one import only_one
from roadstead.config import identity
from roadstead.config.sections import Config
from roadstead.drivers.host.needs import held
from roadstead.model.errors import ConfigError


def take_down(config: Config) -> None:
    """No export server runs, no share server is there and nothing of ours is mounted. ConfigError
    while `roadstead up` or the agent runs, and where the state is another host's; InUse when
    somebody has a share open, or a running VM has it attached: what comes after it is then left
    as it is."""
    identity.check(config)
    os.makedirs(config.run_directory, exist_ok=True)
    if held(Path(config.run_directory) / "supervisor.lock"):
        # Its agent may be down just now, and would start all of it again.
        raise ConfigError("`roadstead up` is running: stop that first, then come back")
    with only_one(config):
        backends = make_backends(config)
        compute = make_compute(config, backends)
        if compute is not None:
            compute.mounts.ensure_all_unmounted()
        for backend in backends.values():
            backend.export.stop_all()
        make_failover(config).stop_all()
        network = make_network(config)
        if network is not None:
            take_down_network(network)
        for backend in backends.values():
            backend.pool.ensure_unmounted()
