"""The configuration: one TOML file, every key with a default, the environment over it.

The Structs in `config_sections` are the single table of keys, from which `config_reference` prints
a complete commented file.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from roadstead.config import checks
from roadstead.config.sections import (
    STATE_DIRECTORY,
    BackendConfig,
    Config,
)
from roadstead.model.errors import BadRequest, ConfigError
from roadstead.model.network_pools import (
    NetworkPool,
    check_pools,
    parse_addressing,
    parse_numbers,
)
from roadstead.model.quotas import DEFAULT_LIMITS
from roadstead.process.files import write_durably

FILE_NAME = "roadstead.toml"
ETC_FILE = "/etc/roadstead/roadstead.toml"


def load(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    state: str | os.PathLike[str] | None = None,
) -> Config:
    """The configuration in force, checked and complete.

    Without `path`: ROADSTEAD_CONFIG, <state>/roadstead.toml, /etc/roadstead/roadstead.toml, or
    the defaults alone. `state` overrides state_directory, and then run_directory is <state>/run
    unless it is set. ConfigError names the wrong key. What backends say of their roads is looked at
    by `roads.registry.check`.
    """
    from roadstead.config import source as config_source

    environ = os.environ if environ is None else environ
    directory = str(state or environ.get("ROADSTEAD_STATE_DIRECTORY") or STATE_DIRECTORY)
    file = _find(path, environ, Path(directory))
    given = config_source.read_file(file) if file else {}
    config_source.take_new_names(given)
    config_source.check_keys(given, Config)
    config_source.overlay_environment(given, environ, Config)
    if state:
        given["state_directory"] = str(Path(state).absolute())
        given.setdefault("run_directory", f"{given['state_directory']}/run")
    # A host of VMs only says so by an empty table.
    return _complete(config_source.convert(given, Config), bare=given.get("backends") == {})


def write_effective(config: Config, path: Path, *, gid: int = -1) -> None:
    """`path` holds exactly this configuration, for `read_effective`; only its owner and the group
    may read it, for there may be passwords inside."""
    text = msgspec.json.format(msgspec.json.encode(config)).decode()
    write_durably(path, text, mode=0o640, gid=gid)


def read_effective(path: str | os.PathLike[str]) -> Config:
    """What `write_effective` wrote; no environment over it. ConfigError when it is not that."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Config)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def primary_address() -> str:
    """The address this machine sends from by default, by a route look-up: nothing is sent."""
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"


def _find(
    path: str | os.PathLike[str] | None, environ: Mapping[str, str], state: Path
) -> Path | None:
    named = path or environ.get("ROADSTEAD_CONFIG")
    if named:
        return Path(named)
    candidates = (state / FILE_NAME, Path(ETC_FILE))
    return next((c for c in candidates if c.is_file()), None)


def _complete(config: Config, *, bare: bool = False) -> Config:
    """Derived defaults are filled in; what cannot be is refused."""
    state = str(Path(config.state_directory).absolute())
    run = str(Path(config.run_directory or "/run/roadstead").absolute())
    unknown = config.quota.keys() - DEFAULT_LIMITS.keys()
    if unknown:
        raise ConfigError(f"quota.{min(unknown)}: no such quota")
    for project, own in config.projects.items():
        checks.check_networks(f"projects.{project}.permitted_cidrs", own.permitted_cidrs)
    checks.check_api(config.api)
    pools = network_pools(config)
    check_pools(pools)
    replace = msgspec.structs.replace
    bare = bare or bool(config.standbys)
    backends = config.backends if bare else config.backends or {"local": BackendConfig()}
    return replace(
        config,
        host=config.host or socket.gethostname(),
        state_directory=state,
        run_directory=run,
        database=replace(config, state_directory=state).database_url,
        api=replace(config.api, users_file=config.api.users_file or f"{state}/etc/users"),
        backends={n: _complete_backend(n, b) for n, b in backends.items()},
        quota=DEFAULT_LIMITS | config.quota,
        secrets_file=config.secrets_file or f"{state}/etc/secrets.keys",
    )


def _complete_backend(name: str, backend: BackendConfig) -> BackendConfig:
    if not name or not all(c.isalnum() or c in "-_." for c in name) or not name[0].isalnum():
        raise ConfigError(f"backends.{name}: a name has letters, digits, '-', '_' and '.'")
    if backend.netns and not backend.addresses:
        raise ConfigError(f"backends.{name}.addresses: needed when netns is set")
    for address in backend.addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ConfigError(f"backends.{name}.addresses: {error}") from error
    return msgspec.structs.replace(backend, addresses=backend.addresses or (primary_address(),))


def network_pools(config: Config) -> dict[str, NetworkPool]:
    """`[networks.<name>]` as the service works with it. ConfigError when the ids are no numbers."""
    found: dict[str, NetworkPool] = {}
    for name, section in config.networks.items():
        try:
            first, last = parse_numbers(section.ids) if section.ids else (None, None)
        except ValueError as error:
            raise ConfigError(f"networks.{name}.ids: {error}") from error
        try:
            subnets = tuple(parse_addressing(text) for text in section.subnets)
        except BadRequest as error:
            raise ConfigError(f"networks.{name}.subnets: {error}") from error
        found[name] = NetworkPool(
            name=name,
            kind=section.type,
            physical_network=section.physical_network,
            first=first,
            last=last,
            mtu=section.mtu or None,
            projects=section.projects,
            subnets=subnets,
        )
    return found
