"""Roads by name, from the entry point group `roadstead.roads`. A third party's road needs no change
here: it declares an entry point in its own package."""

from collections.abc import Iterable
from importlib.metadata import entry_points

from roadstead.config.sections import DEFAULT_ROAD, BackendConfig, Config
from roadstead.model.errors import ConfigError
from roadstead.roads.base import Road
from roadstead.roads.networked import Networked

_GROUP = "roadstead.roads"


def known() -> tuple[str, ...]:
    """Every road's name, ours first."""
    return tuple(dict.fromkeys(e.name for e in entry_points(group=_GROUP)))


def find(name: str) -> type[Road]:
    """The road's class. ConfigError when there is none of that name."""
    found = {e.name: e for e in entry_points(group=_GROUP)}
    if name not in found:
        raise ConfigError(f"no road {name!r}; known: {', '.join(found)}")
    return found[name].load()


def serving(names: Iterable[str]) -> type[Road]:
    """That of these by which a backend serves its shares: the first one that does so, or the
    default one, from which the others take them. ConfigError as `find`."""
    classes = [find(name) for name in names]
    return next((c for c in classes if c.serves), None) or find(DEFAULT_ROAD)


def serving_name(names: Iterable[str]) -> str:
    """Its name; a road that is not known here, but by its agent, serves."""
    roads = known()
    return next((n for n in names if n not in roads or find(n).serves), DEFAULT_ROAD)


def make(section: BackendConfig, networked: Networked | None) -> Road:
    """The road by which this backend serves its shares. ConfigError as `find`."""
    return serving(section.roads).make(section, networked)


def check(config: Config) -> None:
    """ConfigError, with the key, when a backend names a road that there is not, or one that it
    cannot have as it is."""
    roads = known()
    for name, section in config.backends.items():
        for road in section.roads:
            if road not in roads:
                raise ConfigError(
                    f"backends.{name}.roads: no road {road!r}; known: {', '.join(roads)}"
                )
    for road in roads:
        find(road).check(config)
