"""The tables of the configuration: names, types, defaults and documentation of every key."""

from typing import Annotated, Any, Literal

import msgspec

from roadstead.model.documented import doc as _doc

STATE_DIRECTORY = "/var/lib/roadstead"
DEFAULT_ROAD = "direct"


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
    control_options: Annotated[
        dict[str, Any], _doc("For that driver: `roadstead config --driver filers/ganesha`")
    ] = {}
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
    roads: Annotated[tuple[str, ...], _doc("Roads offered")] = (DEFAULT_ROAD,)
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
        dict[str, Any],
        _doc("For the pool driver: `roadstead config --driver pools/image` tells them"),
    ] = {}
    export_options: Annotated[
        dict[str, Any],
        _doc("For the export driver: `roadstead config --driver exports/ganesha`"),
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
        dict[str, Any], _doc("For the driver: `roadstead config --driver hypervisors/libvirt`")
    ] = {}
    storage_address: Annotated[
        str, _doc("What export servers see of this host; '' = its primary address")
    ] = ""
    mounts: Annotated[str, _doc("Where shares are mounted; '' = <run_directory>/compute")] = ""
    mounts_driver: Annotated[str, _doc("Driver for these mounts")] = "local"
    mounts_options: Annotated[
        dict[str, Any], _doc("For that driver: `roadstead config --driver host_mounts/local`")
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
        dict[str, Any], _doc("For the driver: `roadstead config --driver networks/segments`")
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
        int,
        _doc("How long something unknown may exist before it is removed, or bytes set aside", ge=0),
    ] = 60
    trash_days: Annotated[
        int, _doc("How long bytes that no row names are kept in the trash", ge=0)
    ] = 7
    standby_interval_seconds: Annotated[
        int, _doc("Between looks at gateways that stand by or have a standby", ge=1)
    ] = 2
    operation_timeout_seconds: Annotated[
        int, _doc("How long an operation that fails for the moment is tried again", ge=1)
    ] = 30
    message_days: Annotated[int, _doc("How long user messages are kept", ge=1, le=36500)] = 30
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
