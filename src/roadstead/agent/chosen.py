"""The drivers that the configuration names: what it says to each, and where each may work."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from roadstead.config.sections import Config
from roadstead.drivers import registry
from roadstead.drivers.base.options import Where
from roadstead.drivers.registry import Choice


def pool(config: Config, name: str) -> Choice:
    """Of that backend."""
    section = config.backends[name]
    return _choice(config, "pools", name, section.pool, section.pool_options)


def export(config: Config, name: str) -> Choice:
    """Of that backend."""
    section = config.backends[name]
    return _choice(config, "exports", name, section.export, section.export_options)


def filer(config: Config, name: str) -> Choice:
    """Of that backend, which must have one."""
    section = config.backends[name].filer
    return _choice(config, "filers", name, section.control, section.control_options)


def hypervisor(config: Config) -> Choice:
    """Of this host, which must be a compute host."""
    section = config.compute
    given = section.hypervisor_options
    return _choice(config, "hypervisors", config.host, section.hypervisor, given)


def host_mounts(config: Config) -> Choice:
    """Of this host, which must be a compute host."""
    section = config.compute
    given = section.mounts_options
    return _choice(config, "host_mounts", config.host, section.mounts_driver, given)


def network(config: Config) -> Choice:
    """Of this host, which must have one."""
    section = config.network
    return _choice(config, "networks", config.host, section.driver, section.options)


def of_backend(config: Config, name: str) -> Iterator[Choice]:
    """Its pool, its export server and, where there is one, the filer behind it."""
    yield pool(config, name)
    yield export(config, name)
    if config.backends[name].filer.addresses:
        yield filer(config, name)


def of_host(config: Config) -> Iterator[Choice]:
    """What this machine has one of."""
    if config.compute.hypervisor:
        yield hypervisor(config)
        yield host_mounts(config)
    if config.network.driver:
        yield network(config)


def complete(config: Config) -> Config:
    """The configuration with every option of every driver it names. ConfigError on a bad one."""
    replace = msgspec.structs.replace
    backends = dict(config.backends)
    for name, section in backends.items():
        told = {choice.axis: _options(choice) for choice in of_backend(config, name)}
        control = told.get("filers", section.filer.control_options)
        backends[name] = replace(
            section,
            pool_options=told["pools"],
            export_options=told["exports"],
            filer=replace(section.filer, control_options=control),
        )
    host = {choice.axis: _options(choice) for choice in of_host(config)}
    compute, own_network = config.compute, config.network
    return replace(
        config,
        backends=backends,
        compute=replace(
            compute,
            hypervisor_options=host.get("hypervisors", compute.hypervisor_options),
            mounts_options=host.get("host_mounts", compute.mounts_options),
        ),
        network=replace(own_network, options=host.get("networks", own_network.options)),
    )


def _options(choice: Choice) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(registry.options(choice))
    return {name: value for name, value in told.items() if value is not None}


def _choice(config: Config, axis: str, name: str, driver: str, given: Mapping[str, Any]) -> Choice:
    """`name`: the backend's, or the host's for what a host has one of."""
    keys = registry.AXES[axis]
    table = keys.table.replace("NAME", name)
    return Choice(
        axis=axis,
        driver=driver,
        key=f"{table}.{keys.driver}",
        options_key=f"{table}.{keys.options}",
        given=given,
        where=_where(config, keys.directory.replace("NAME", name), name),
    )


def _where(config: Config, below: str, name: str) -> Where:
    return Where(
        name=name,
        state_directory=f"{config.state_directory}/{below}",
        run_directory=f"{config.run_directory}/{below}",
        owner=_owner(config),
        # Not with the state: after a reboot an empty directory would be handed to VMs that start
        # before us; here it is missing, and they do not start.
        mounts=config.compute.mounts or f"{config.run_directory}/compute",
    )


def _owner(config: Config) -> str:
    """Two services of one machine have different state directories."""
    digest = hashlib.blake2s(config.state_directory.encode(), digest_size=4).hexdigest()
    return f"{config.host[:39]}-{digest}"
