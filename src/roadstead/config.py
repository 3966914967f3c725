"""The configuration: one TOML file, every key with a default, the environment over it.

The Structs are the single table of keys: names, types, defaults and their documentation, from
which `config_reference` prints a complete commented file.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from roadstead import config_checks as checks
from roadstead.model.errors import BadRequest, ConfigError
from roadstead.model.network_pools import (
    NetworkPool,
    check_pools,
    parse_addressing,
    parse_numbers,
)
from roadstead.model.quotas import DEFAULT_LIMITS

STATE_DIRECTORY = "/var/lib/roadstead"
FILE_NAME = "roadstead.toml"
ETC_FILE = "/etc/roadstead/roadstead.toml"


def _doc(text: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, **limits)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; its fields are its keys."""


class KeystoneConfig(Section, frozen=True):
    """Where tokens are checked, and as whom. Used when auth = "keystone"."""

    auth_url: Annotated[str, _doc("Keystone's URL, with /v3")] = ""
    www_authenticate_uri: Annotated[str, _doc("What refused clients are told; auth_url if ''")] = ""
    username: Annotated[str, _doc("The service user that checks tokens")] = "roadstead"
    password: Annotated[str, _doc("Its password")] = ""
    project_name: Annotated[str, _doc("Its project")] = "service"
    user_domain_id: Annotated[str, _doc("The domain of the user")] = "default"
    project_domain_id: Annotated[str, _doc("The domain of the project")] = "default"
    region_name: Annotated[str, _doc("Keystone's region; '' takes any")] = ""
    cafile: Annotated[str, _doc("CA certificates to check Keystone with; '' the system's")] = ""
    service_token_roles: Annotated[
        tuple[str, ...], _doc("A service token counts if its user has one of these roles")
    ] = ("service",)


class ApiConfig(Section, frozen=True):
    """The HTTP side."""

    bind: Annotated[str, _doc("Address to listen at")] = "127.0.0.1"
    port: Annotated[int, _doc("Port to listen at", ge=1, le=65535)] = 8786
    base_url: Annotated[str, _doc("What links begin with, behind a proxy; '' as requested")] = ""
    auth: Annotated[
        Literal["http_basic", "none", "keystone"],
        _doc("http_basic (the users file) | keystone | none (loopback only: everyone is admin)"),
    ] = "http_basic"
    user: Annotated[str, _doc("Who the API process runs as, when started by root")] = "roadstead"
    users_file: Annotated[str, _doc("For http_basic; '' = <state_directory>/etc/users")] = ""
    policy_file: Annotated[str, _doc("Policy overrides (YAML or JSON); '' = none")] = ""
    threads: Annotated[int, _doc("Requests served at the same time", ge=1, le=256)] = 4
    keystone: KeystoneConfig = KeystoneConfig()


class FilerConfig(Section, frozen=True):
    """The filer behind a gateway: somebody else's NFS server (pool filer, road gateway)."""

    addresses: Annotated[
        tuple[str, ...], _doc("The filer's on the storage network, one a family")
    ] = ()
    port: Annotated[int, _doc("Its NFS port", ge=1, le=65535)] = 2049
    control: Annotated[
        str, _doc("How its export rules are made: ganesha, exportfs, hook, fixed, memory")
    ] = "ganesha"
    control_options: Annotated[dict[str, Any], _doc("For that driver")] = {}
    tree: Annotated[str, _doc("Where the directory it gives us is mounted on this host")] = ""
    mount: Annotated[
        str, _doc("What to mount there, by NFS: 172.30.0.2:/admin; '' = it is mounted already")
    ] = ""
    path: Annotated[str, _doc("What the filer itself calls that directory")] = ""


class StorageConfig(Section, frozen=True):
    """The storage network of a gateway's other leg. No tenant's network may name it."""

    type: Annotated[Literal["flat", "vlan", "vxlan"], _doc("What kind of segment it is")] = "flat"
    id: Annotated[int, _doc("VLAN id or VNI; 0 for flat", ge=0)] = 0
    physical_network: Annotated[str, _doc("Where it is; '' for vxlan")] = ""
    mtu: Annotated[int, _doc("0 = as large as the underlay allows", ge=0, le=65535)] = 0
    subnets: Annotated[
        tuple[str, ...],
        _doc("CIDR,first-last: what gateways may take there; the filer is in the CIDR"),
    ] = ()


class BackendConfig(Section, frozen=True):
    """A pool, an export server and the roads from it."""

    pool: Annotated[str, _doc("Pool driver: where the bytes live")] = "image"
    export: Annotated[str, _doc("Export driver: how they are served")] = "ganesha"
    roads: Annotated[tuple[str, ...], _doc("Roads offered")] = ("direct",)
    availability_zone: Annotated[str, _doc("The zone of its shares")] = "nova"
    addresses: Annotated[
        tuple[str, ...], _doc("Addresses clients mount from; [] = this machine's primary one")
    ] = ()
    netns: Annotated[
        str, _doc("Network namespace (below /run/netns) of the export server; '' = the host's")
    ] = ""
    max_over_subscription_ratio: Annotated[
        float, _doc("Gigabytes promised per gigabyte there is, thin pools", ge=1)
    ] = 20.0
    reserved_percentage: Annotated[
        int, _doc("Part of the pool that new shares never take", ge=0, le=100)
    ] = 0
    max_share_servers: Annotated[
        int, _doc("Share servers of the backend; -1 = any number (road network)", ge=-1)
    ] = -1
    max_shares_per_share_server: Annotated[
        int,
        _doc(
            "Shares on one share server; then another is made; -1 = any number "
            "(always 1 with export gateway-proxy)",
            ge=-1,
        ),
    ] = -1
    max_share_server_size: Annotated[
        int, _doc("Gigabytes of all shares on one share server; -1 = any number", ge=-1)
    ] = -1
    pool_options: Annotated[
        dict[str, Any], _doc("For the pool driver; image: directory, backing_gib, mount_root")
    ] = {}
    export_options: Annotated[
        dict[str, Any],
        _doc("For the export driver; ganesha: port, grace, protocols, lease_seconds"),
    ] = {}
    standby: Annotated[
        str, _doc("The host that stands by for its gateways, by [standbys.<name>]; '' = none")
    ] = ""
    filer: FilerConfig = FilerConfig()
    storage: StorageConfig = StorageConfig()


class StandbyConfig(Section, frozen=True):
    """Gateways of the backend of this name, on another host, for which this machine stands by
    (road gateway). Of the filer, addresses and port are used."""

    of: Annotated[str, _doc("The host whose agent has the backend")] = ""
    filer: FilerConfig = FilerConfig()
    storage: StorageConfig = StorageConfig()


class ComputeConfig(Section, frozen=True):
    """This machine as a compute host: shares are handed to its VMs (road hypervisor)."""

    hypervisor: Annotated[str, _doc("Hypervisor driver (libvirt); '' = no compute host")] = ""
    hypervisor_options: Annotated[
        dict[str, Any], _doc("For the driver; libvirt: uri, virtiofsd, …")
    ] = {}
    storage_address: Annotated[
        str, _doc("What export servers see of this host; '' = its primary address")
    ] = ""
    mounts: Annotated[str, _doc("Where shares are mounted; '' = <run_directory>/compute")] = ""
    mounts_driver: Annotated[str, _doc("Driver for these mounts")] = "local"
    mounts_options: Annotated[
        dict[str, Any], _doc("For that driver; local: nfs_options, fuse_options, qemu_group")
    ] = {}
    nfs_client: Annotated[
        Literal["auto", "kernel", "fuse", "none"], _doc("How shares of other hosts are mounted")
    ] = "auto"
    local_mounts: Annotated[
        bool, _doc("Shares of this host's own pools are taken from there, without an export")
    ] = True


class ProjectConfig(Section, frozen=True):
    """Settings of one project, by id."""

    permitted_cidrs: Annotated[
        tuple[str, ...], _doc("Access rules may name only these networks; [] = any")
    ] = ()
    require_network_isolation: Annotated[bool, _doc("No share that only access rules isolate")] = (
        False
    )


class NetworkConfig(Section, frozen=True):
    """Segments that share networks may name, by this table's name (road network). Each project
    that does so gets a number of its own; a flat network is one wire for all of them."""

    type: Annotated[Literal["flat", "vlan", "vxlan"], _doc("What its segments are")] = "vxlan"
    ids: Annotated[str, _doc("VLAN ids or VNIs to give out: 1000-1999, or one; '' for flat")] = ""
    physical_network: Annotated[str, _doc("Where the segments are; '' for vxlan")] = ""
    mtu: Annotated[int, _doc("0 = as large as the underlay allows", ge=0, le=65535)] = 0
    projects: Annotated[tuple[str, ...], _doc("Who may use it, by id; [] = everybody")] = ()
    subnets: Annotated[
        tuple[str, ...],
        _doc("CIDR[,gateway][,first-last] of all there are; [] = as each project says; not flat"),
    ] = ()


class HostNetworkConfig(Section, frozen=True):
    """How this machine gets share servers onto tenants' networks (road network)."""

    driver: Annotated[str, _doc("Network driver (segments); '' = no share servers here")] = ""
    options: Annotated[
        dict[str, Any], _doc("For the driver; segments: underlay, physical_networks, …")
    ] = {}
    unused_minutes: Annotated[int, _doc("How long a share server without shares is kept", ge=0)] = (
        10
    )


class Config(Section, frozen=True):
    """The whole configuration. `load` fills in what depends on the machine."""

    host: Annotated[str, _doc("This agent's name in host@backend#pool; '' = the host name")] = ""
    state_directory: Annotated[str, _doc("Everything that must survive")] = STATE_DIRECTORY
    run_directory: Annotated[str, _doc("Locks and sockets; '' = /run/roadstead")] = ""
    database: Annotated[
        str,
        _doc("sqlite:///… or postgresql+psycopg://…; '' = SQLite in <state_directory>/db"),
    ] = ""
    default_share_type: Annotated[str, _doc("Type of shares that name none")] = "default"
    protocols: Annotated[tuple[str, ...], _doc("Protocols a share may ask for")] = ("NFS",)
    refuse_any_address: Annotated[
        bool,
        _doc(
            "Access rules for 0.0.0.0/0 and ::/0 only for share types with the extra spec "
            "roadstead:allow_any_address=True"
        ),
    ] = True
    sweep_interval_seconds: Annotated[int, _doc("Between comparisons with the world", ge=1)] = 60
    leak_grace_seconds: Annotated[
        int, _doc("How long something unknown may exist before it is removed", ge=0)
    ] = 60
    standby_interval_seconds: Annotated[
        int, _doc("Between looks at gateways that stand by or have a standby", ge=1)
    ] = 2
    grant_timeout_seconds: Annotated[
        int, _doc("How long an access rule may take to be in force", ge=1)
    ] = 30
    message_days: Annotated[int, _doc("How long user messages are kept", ge=1)] = 30
    api: ApiConfig = ApiConfig()
    backends: dict[str, BackendConfig] = {}
    standbys: dict[str, StandbyConfig] = {}
    quota: Annotated[dict[str, int], _doc("Limits of a project without own ones; -1 = none")] = {}
    attachments_per_project: Annotated[
        int, _doc("How many shares a project's VMs may have attached; -1 = any number", ge=-1)
    ] = 100
    secrets_file: Annotated[
        str,
        _doc("Keys that seal secrets in the database; '' = <state_directory>/etc/secrets.keys"),
    ] = ""
    projects: dict[str, ProjectConfig] = {}
    networks: dict[str, NetworkConfig] = {}
    compute: ComputeConfig = ComputeConfig()
    network: HostNetworkConfig = HostNetworkConfig()

    @property
    def database_url(self) -> str:
        """The database in force."""
        return self.database or f"sqlite:///{self.state_directory}/db/roadstead.sqlite"


def load(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    state: str | os.PathLike[str] | None = None,
) -> Config:
    """The configuration in force, checked and complete.

    Without `path`: ROADSTEAD_CONFIG, <state>/roadstead.toml, /etc/roadstead/roadstead.toml, or
    the defaults alone. `state` overrides state_directory, and then run_directory is <state>/run
    unless it is set. ConfigError names the wrong key.
    """
    from roadstead import config_source

    environ = os.environ if environ is None else environ
    directory = str(state or environ.get("ROADSTEAD_STATE_DIRECTORY") or STATE_DIRECTORY)
    file = _find(path, environ, Path(directory))
    given = config_source.read_file(file) if file else {}
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
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "wb") as file:
        os.fchown(fd, -1, gid)
        os.fchmod(fd, 0o640)
        file.write(msgspec.json.format(msgspec.json.encode(config)))
    new.replace(path)


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
    checks.check_storage_apart(config.backends, pools)
    checks.check_standbys(config, pools)
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
        backends={n: _complete_backend(n, b, state, run) for n, b in backends.items()},
        quota=DEFAULT_LIMITS | config.quota,
        secrets_file=config.secrets_file or f"{state}/etc/secrets.keys",
    )


def _complete_backend(name: str, backend: BackendConfig, state: str, run: str) -> BackendConfig:
    if not name or not all(c.isalnum() or c in "-_." for c in name) or not name[0].isalnum():
        raise ConfigError(f"backends.{name}: a name has letters, digits, '-', '_' and '.'")
    if backend.netns and not backend.addresses:
        raise ConfigError(f"backends.{name}.addresses: needed when netns is set")
    for address in backend.addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ConfigError(f"backends.{name}.addresses: {error}") from error
    pool, export = dict(backend.pool_options), dict(backend.export_options)
    filer = backend.filer
    if backend.pool == "filer":
        pool.setdefault("log_directory", run)
    if filer.control == "fixed":
        options = {"state_directory": f"{state}/filers/{name}", **filer.control_options}
        filer = msgspec.structs.replace(filer, control_options=options)
    if backend.pool == "image":
        pool.setdefault("directory", f"{state}/pools/{name}")
    if "gateway" in backend.roads:
        checks.check_gateway(name, backend)
    if backend.export in ("ganesha", "samba", "ganesha+samba", "gateway", "gateway-proxy"):
        export.setdefault("state_directory", f"{state}/exports/{name}")
    if backend.export in ("ganesha", "ganesha+samba", "gateway-proxy"):
        export.setdefault("run_directory", f"{run}/exports/{name}")
    return msgspec.structs.replace(
        backend,
        addresses=backend.addresses or (primary_address(),),
        pool_options=pool,
        export_options=export,
        filer=filer,
    )


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
