"""What the configured drivers say themselves that they need of this machine."""

from collections.abc import Iterator
from pathlib import Path

from roadstead.agent import chosen
from roadstead.config.sections import DEFAULT_ROAD, BackendConfig, Config
from roadstead.drivers import registry
from roadstead.drivers.base.options import Examined
from roadstead.drivers.host.needs import MISSING, WARN, Check, held
from roadstead.drivers.registry import Choice
from roadstead.model.errors import ConfigError, RoadsteadError
from roadstead.roads import registry as roads


def drivers(config: Config) -> Iterator[Check]:
    """Of each backend under its first road, of this host under the road that uses them; options
    that a driver does not take are missing."""
    serving = held(Path(config.run_directory) / "supervisor.lock")
    for name, backend in config.backends.items():
        examined = Examined(
            road=backend.roads[0] if backend.roads else DEFAULT_ROAD,
            name=name,
            listens_here=_listens_here(backend),
            serving=serving,
        )
        for choice in chosen.of_backend(config, name):
            yield from _asked(choice, examined)
    for choice in chosen.of_host(config):
        road = "network" if choice.axis == "networks" else "hypervisor"
        yield from _asked(choice, Examined(road=road, name=config.host, serving=serving))


def _listens_here(backend: BackendConfig) -> bool:
    try:
        return not backend.netns and roads.make(backend, None).servers is None
    except RoadsteadError:
        return False  # what is wrong the road's own checks tell


def _asked(choice: Choice, examined: Examined) -> Iterator[Check]:
    name = f"{choice.driver} ({examined.name})"
    try:
        yield from registry.doctor(choice, examined)
    except ConfigError as error:
        fix = "correct it; `roadstead config --driver` prints what a driver takes"
        yield Check(road=examined.road, name=name, state=MISSING, found=str(error), fix=fix)
    except Exception as error:  # a fault of one driver hides nothing of the others
        found = f"its own check failed: {type(error).__name__}: {error}"
        fix = "tell who made the driver"
        yield Check(road=examined.road, name=name, state=WARN, found=found, fix=fix)
