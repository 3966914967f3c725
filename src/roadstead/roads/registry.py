"""Roads by name, from the entry point group `roadstead.roads`. A third party's road needs no change
here: it declares an entry point in its own package."""

from collections.abc import Iterable
from importlib.metadata import entry_points

from roadstead.config.sections import DEFAULT_ROAD, BackendConfig, Config
from roadstead.drivers.registry import loaded
from roadstead.model.errors import ConfigError
from roadstead.roads.base import Road
from roadstead.roads.networked import Networked

_GROUP = "roadstead.roads"


def known() -> tuple[str, ...]:
    """Every road's name, ours first."""
    return tuple(dict.fromkeys(e.name for e in entry_points(group=_GROUP)))


def find(name: str) -> type[Road]:
    """The road's class. ConfigError when there is none of that name, or it cannot be loaded."""
    found = {e.name: e for e in entry_points(group=_GROUP)}
    if name not in found:
        raise ConfigError(f"no road {name!r}; known: {', '.join(found)}")
    return loaded(found[name], f"road {name!r}")


def serving(names: Iterable[str]) -> type[Road]:
    """That of these by which a backend serves its shares: the first one that does so, or the
    default one, from which the others take them. ConfigError as `find`."""
    classes = [find(name) for name in names]
    return next((c for c in classes if c.serves), None) or find(DEFAULT_ROAD)


def serving_name(names: Iterable[str]) -> str:
    """Its name; a road that is not known here, but by its agent, serves."""
    return next((name for name in names if _serves(name)), DEFAULT_ROAD)


def make(section: BackendConfig, networked: Networked | None) -> Road:
    """The road by which this backend serves its shares. ConfigError as `find`."""
    return serving(section.roads).make(section, networked)


def check(config: Config) -> None:
    """ConfigError, with the key, when a backend names a road that there is not, or one that it
    cannot have as it is. A stranger's road that no backend names is not even loaded."""
    roads = known()
    named: set[str] = set()
    for name, section in config.backends.items():
        for road in section.roads:
            if road not in roads:
                raise ConfigError(
                    f"backends.{name}.roads: no road {road!r}; known: {', '.join(roads)}"
                )
            named.add(road)
    for road in roads:
        # Ours have a say of standbys, too, which are no backend's.
        if road in named or _is_ours(road):
            find(road).check(config)


def _serves(name: str) -> bool:
    try:
        return find(name).serves
    except ConfigError:
        return True


def _is_ours(name: str) -> bool:
    return all(e.value.startswith("roadstead.") for e in entry_points(group=_GROUP, name=name))
