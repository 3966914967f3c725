"""Drivers by name, from the entry point groups `roadstead.pools`, `roadstead.exports`,
`roadstead.hypervisors`, `roadstead.host_mounts`, `roadstead.networks` and `roadstead.filers`.

A third party's driver needs no change here: it declares an entry point in its own package.
"""

from importlib.metadata import entry_points
from typing import Any

from roadstead.drivers.base.compute import HostMounts, Hypervisor
from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.base.network import Network
from roadstead.drivers.base.pool import Pool
from roadstead.model.errors import ConfigError


def _load(group: str, name: str) -> Any:
    found = {e.name: e for e in entry_points(group=group)}
    if name not in found:
        raise ConfigError(f"no driver {name!r} in {group}; known: {', '.join(sorted(found))}")
    return found[name].load()


def make_pool(name: str, /, **options: Any) -> Pool:
    """The pool driver of that name, not yet touching the world. ConfigError on a bad option."""
    try:
        return _load("roadstead.pools", name)(**options)
    except TypeError as error:
        raise ConfigError(f"pool driver {name!r}: {error}") from error


def make_hypervisor(name: str, /, **options: Any) -> Hypervisor:
    """The hypervisor driver of that name. ConfigError on a bad option."""
    try:
        return _load("roadstead.hypervisors", name)(**options)
    except TypeError as error:
        raise ConfigError(f"hypervisor driver {name!r}: {error}") from error


def make_export(name: str, /, **options: Any) -> ExportServer:
    """The export driver of that name. ConfigError on a bad option."""
    try:
        return _load("roadstead.exports", name)(**options)
    except TypeError as error:
        raise ConfigError(f"export driver {name!r}: {error}") from error


def make_filer(name: str, /, **options: Any) -> FilerControl:
    """The control of a filer of that name. ConfigError on a bad option."""
    try:
        return _load("roadstead.filers", name)(**options)
    except TypeError as error:
        raise ConfigError(f"filer control {name!r}: {error}") from error


def make_network(name: str, /, **options: Any) -> Network:
    """The network driver of that name. ConfigError on a bad option."""
    try:
        return _load("roadstead.networks", name)(**options)
    except TypeError as error:
        raise ConfigError(f"network driver {name!r}: {error}") from error


def make_host_mounts(name: str, /, **options: Any) -> HostMounts:
    """The driver for this host's mounts of that name. ConfigError on a bad option."""
    try:
        return _load("roadstead.host_mounts", name)(**options)
    except TypeError as error:
        raise ConfigError(f"mount driver {name!r}: {error}") from error
