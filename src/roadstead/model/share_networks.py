"""Share networks, their subnets, security services and share servers, as the database has them."""

from datetime import datetime

import msgspec

from roadstead.model.networks import SegmentSpec
from roadstead.model.states import ShareNetworkStatus

SECURITY_SERVICE_TYPES = ("active_directory", "ldap", "kerberos")
STORAGE = "storage-"  # what the ids of storage networks' subnets begin with; they have no rows


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """Where share servers of one availability zone (None: of every zone without subnets of its
    own) get their addresses."""

    id: str
    share_network_id: str
    availability_zone: str | None = None
    neutron_net_id: str | None = None
    neutron_subnet_id: str | None = None
    network_type: str | None = None  # flat | vlan | vxlan; None: no segment is known yet
    physical_network: str = ""
    segmentation_id: int | None = None
    cidr: str | None = None
    ip_version: int | None = None
    gateway: str | None = None
    mtu: int | None = None
    first_address: str | None = None  # of those that servers may get; None = any
    last_address: str | None = None
    metadata: dict[str, str] = {}
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def segment(self) -> SegmentSpec | None:
        """The wire it is on, by its own id; None while nothing says which."""
        if self.network_type is None or self.cidr is None:
            return None
        spec = SegmentSpec(
            id="",
            kind=self.network_type,
            number=self.segmentation_id,
            physical_network=self.physical_network,
            mtu=self.mtu,
        )
        return msgspec.structs.replace(spec, id=spec.wire)


class ShareNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's set of subnets on which its share servers live."""

    id: str
    project_id: str
    user_id: str
    name: str | None = None
    description: str | None = None
    status: str = ShareNetworkStatus.ACTIVE
    subnets: tuple[Subnet, ...] = ()  # the oldest first
    # True when every share server can do it, so also when there is none
    security_service_update_support: bool = True
    network_allocation_update_support: bool = True
    created_at: datetime
    updated_at: datetime | None = None

    def subnets_of(self, zone: str | None) -> tuple[Subnet, ...]:
        """Exactly those of that zone; of None, the default ones."""
        return tuple(s for s in self.subnets if s.availability_zone == zone)

    def subnets_for(self, zone: str) -> tuple[Subnet, ...]:
        """Those that serve a zone: its own, else the default ones."""
        return self.subnets_of(zone) or self.subnets_of(None)

    def serves(self, zone: str) -> bool:
        """True when a share server can be made in that zone."""
        return bool(self.subnets_for(zone))


class SecurityService(msgspec.Struct, frozen=True, kw_only=True):
    """A directory that share servers join. The password is only here in its sealed form, so that
    nothing that shows this object can show it."""

    id: str
    project_id: str
    type: str  # of SECURITY_SERVICE_TYPES
    name: str | None = None
    description: str | None = None
    dns_ip: str | None = None
    server: str | None = None
    domain: str | None = None
    user: str | None = None
    sealed_password: str | None = None
    ou: str | None = None
    default_ad_site: str | None = None
    created_at: datetime
    updated_at: datetime | None = None
    share_networks: tuple[str, ...] = ()


class ShareServer(msgspec.Struct, frozen=True, kw_only=True):
    """An export server on a tenant's network."""

    id: str
    project_id: str
    share_network_id: str
    share_network_name: str | None = None
    host: str  # host@backend
    status: str
    is_auto_deletable: bool = True
    identifier: str
    security_service_update_support: bool = False
    network_allocation_update_support: bool = False
    subnet_ids: tuple[str, ...] = ()  # sorted
    details: dict[str, str] = {}
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def agent_host(self) -> str:
        """The agent that looks after it."""
        return self.host.partition("@")[0]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a share server; the id is that of the port which has it."""

    id: str
    share_server_id: str
    subnet_id: str
    wire: str  # SegmentSpec.wire: no address is given out twice on one
    address: str
    prefix_length: int
    created_at: datetime

    @property
    def interface(self) -> str:
        """As a network driver wants it: 10.0.0.5/24."""
        return f"{self.address}/{self.prefix_length}"

    @property
    def is_storage(self) -> bool:
        """A gateway's own, on its storage network: no client's."""
        return self.subnet_id.startswith(STORAGE)


class FlowLease(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a gateway that stands for one share: on the tenant's segment the one clients
    mount (`share`), on the storage network the one the filer sees for an access level."""

    id: str
    share_server_id: str
    instance_id: str
    subnet_id: str
    wire: str
    purpose: str  # share | rw | ro
    address: str
    prefix_length: int
    retired: bool = False  # not in use any more; nobody else's before it is off the wire
    created_at: datetime

    @property
    def interface(self) -> str:
        """As a network driver wants it: 10.0.0.5/24."""
        return f"{self.address}/{self.prefix_length}"


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway was when its agent looked last."""

    share_server_id: str
    host: str  # the agent that looked; an active and a standby gateway have one report each
    role: str  # model.states.GatewayRole
    health: str  # model.states.GatewayHealth
    detail: str = ""
    sessions: int = 0
    bytes_in: int = 0  # from tenants
    bytes_out: int = 0  # to tenants
    started_at: datetime | None = None
    reported_at: datetime


class GatewayShown(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and whose gateway it is about."""

    report: GatewayReport
    project_id: str
    share_network_id: str
    share_network_name: str | None = None
    backend_host: str  # host@backend
    status: str
