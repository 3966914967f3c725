"""Drivers by name, from the entry point groups `roadstead.pools`, `roadstead.exports`,
`roadstead.filers`, `roadstead.networks`, `roadstead.hypervisors` and `roadstead.host_mounts`.

A third party's driver needs no change here: it declares an entry point in its own package, and
says by its `Options` what it can be told (docs/drivers.md).
"""

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from roadstead.drivers.base.compute import HostMounts, Hypervisor
from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.base.network import Network
from roadstead.drivers.base.options import DriverOptions, Examined, Where
from roadstead.drivers.base.pool import Pool
from roadstead.drivers.host.needs import Check
from roadstead.model.errors import ConfigError


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Where the configuration has an axis' driver. NAME is the backend's."""

    table: str
    driver: str  # the key that names it
    options: str  # the key that has what it is told
    directory: str  # where it works, below the service's directories


AXES = {
    "pools": Keys(
        table="backends.NAME", driver="pool", options="pool_options", directory="pools/NAME"
    ),
    "exports": Keys(
        table="backends.NAME", driver="export", options="export_options", directory="exports/NAME"
    ),
    "filers": Keys(
        table="backends.NAME.filer",
        driver="control",
        options="control_options",
        directory="filers/NAME",
    ),
    "networks": Keys(table="network", driver="driver", options="options", directory="network"),
    "hypervisors": Keys(
        table="compute", driver="hypervisor", options="hypervisor_options", directory="hypervisor"
    ),
    "host_mounts": Keys(
        table="compute", driver="mounts_driver", options="mounts_options", directory="host_mounts"
    ),
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A driver that the configuration names, and what it says to it."""

    axis: str  # one of AXES
    driver: str
    key: str  # where its name stands: backends.local.pool
    options_key: str  # where its options stand: backends.local.pool_options
    given: Mapping[str, Any]
    where: Where


def installed(axis: str) -> list[str]:
    """The names of all drivers of an axis that are installed. ConfigError when there is no such
    axis."""
    if axis not in AXES:
        raise ConfigError(f"no drivers {axis!r}; there are {', '.join(AXES)}")
    return sorted({entry.name for entry in entry_points(group=f"roadstead.{axis}")})


def load(axis: str, name: str, key: str = "") -> Any:
    """The driver's class. ConfigError, which names the key, when it is not installed or cannot be
    loaded."""
    known = installed(axis)
    said = f"{key}: " if key else ""
    if name not in known:
        raise ConfigError(
            f"{said}no driver {name!r} in roadstead.{axis}; known: {', '.join(known)}"
        )
    (*_, entry) = entry_points(group=f"roadstead.{axis}", name=name)
    return loaded(entry, f"{said}driver {name!r}")


def loaded(entry: EntryPoint, what: str) -> Any:
    """What the entry point names. ConfigError, which begins with `what`, when its package cannot be
    imported, or does not have it."""
    try:
        return entry.load()
    except Exception as error:  # a stranger's module may do anything
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{what} of {entry.value} cannot be loaded: {why}") from error


def options_of(driver: Any) -> type[DriverOptions]:
    """What the driver can be told; nothing, when it does not say."""
    return getattr(driver, "Options", DriverOptions)


def options(choice: Choice) -> DriverOptions:
    """What the driver is told: what is given, and its own defaults. ConfigError names the key that
    is unknown, of a wrong type or missing."""
    kind = options_of(load(choice.axis, choice.driver, choice.key))
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in choice.given:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise ConfigError(f"{choice.options_key}.{name}: unknown; known: {known}")
    values = {**kind.defaults(choice.where), **choice.given}
    for name, field in fields.items():
        if field.required and name not in values:
            raise ConfigError(f"{choice.options_key}.{name}: {choice.driver} needs it")
    try:
        return msgspec.convert(values, kind, strict=True)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise ConfigError(f"{choice.options_key}.{path.rstrip('`')}: {reason}") from error


def make_pool(choice: Choice, **beside: Any) -> Pool:
    """The pool driver, not yet touching the world; `beside` is what is no option. ConfigError on a
    bad option, as of all below."""
    return _make(choice, beside)


def make_export(choice: Choice, **beside: Any) -> ExportServer:
    """The export driver."""
    return _make(choice, beside)


def make_filer(choice: Choice) -> FilerControl:
    """The control of a filer."""
    return _make(choice, {})


def make_network(choice: Choice) -> Network:
    """The network driver."""
    return _make(choice, {})


def make_hypervisor(choice: Choice) -> Hypervisor:
    """The hypervisor driver."""
    return _make(choice, {})


def make_host_mounts(choice: Choice) -> HostMounts:
    """The driver for this host's mounts."""
    return _make(choice, {})


def doctor(choice: Choice, examined: Examined) -> Iterable[Check]:
    """What the driver says it needs of this machine; nothing, when it has no `doctor`. ConfigError
    on a bad option."""
    told = options(choice)
    look = getattr(load(choice.axis, choice.driver), "doctor", None)
    return () if look is None else look(told, examined)


def _make(choice: Choice, beside: Mapping[str, Any]) -> Any:
    told = options(choice)
    driver = load(choice.axis, choice.driver)
    try:
        # Only what it is called with: a TypeError inside is a fault of the driver's.
        inspect.signature(driver).bind(told, **beside)
    except TypeError as error:
        raise ConfigError(f"{choice.key}: {choice.driver} is of no use here: {error}") from error
    return driver(told, **beside)
