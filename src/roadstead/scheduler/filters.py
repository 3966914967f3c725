"""Each filter says why a pool is refused, or None when it passes. Pure functions."""

from collections.abc import Callable, Mapping

import msgspec

from roadstead.model.share_networks import ShareNetwork, Subnet
from roadstead.model.shares import Pool, ShareType


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the share needs of its pool."""

    size_gib: int
    proto: str
    share_type: ShareType
    availability_zone: str | None = None
    only_host: str | None = None
    same_host: tuple[str, ...] = ()  # pools of the shares to be near to
    different_host: tuple[str, ...] = ()
    network: ShareNetwork | None = None
    require_network_isolation: bool = False


Refusal = str | None
# Specs that say something to the service itself, not about a pool.
_NOT_CAPABILITIES = frozenset(
    ("availability_zones", "default_qos_type", "driver_handles_share_servers")
)


def service_up(pool: Pool, _request: Request) -> Refusal:
    if not pool.enabled:
        return "its service is disabled"
    return None if pool.up else "its agent has not reported for a while"


def availability_zone(pool: Pool, request: Request) -> Refusal:
    if request.availability_zone and pool.availability_zone != request.availability_zone:
        return f"is in zone {pool.availability_zone}, not {request.availability_zone}"
    zones = request.share_type.extra_specs.get("availability_zones")
    if zones and pool.availability_zone not in [z.strip() for z in zones.split(",")]:
        return f"is in zone {pool.availability_zone}; the share type wants {zones}"
    if request.network is not None and not request.network.serves(pool.availability_zone):
        return f"is in zone {pool.availability_zone}, where the share network has no subnet"
    return None


def driver(pool: Pool, request: Request) -> Refusal:
    """share servers handled or not, as the type says."""
    wanted = request.share_type.spec_bool("driver_handles_share_servers")
    handles = bool(pool.capabilities.get("driver_handles_share_servers", False))
    if wanted != handles:
        return "handles share servers" if handles else "does not handle share servers"
    return None


def network(pool: Pool, request: Request) -> Refusal:
    """The backend can be on every wire that a share server there would need (N-I8)."""
    if request.network is None:
        return None
    for subnet in request.network.subnets_for(pool.availability_zone):
        if (refusal := segment(pool, subnet)) is not None:
            return refusal
    return None


def segment(pool: Pool, subnet: Subnet) -> Refusal:
    """The backend can be on the subnet's wire."""
    if pool.capabilities.get("network_allocates"):
        return None  # its network service knows the ids, and finds the segment itself
    if subnet.segment is None:
        return f"subnet {subnet.id} names no segment that is known here"
    for name, wanted in (
        ("segment_kinds", subnet.network_type),
        ("physical_networks", subnet.physical_network),
    ):
        offered = pool.capabilities.get(name)
        if wanted and isinstance(offered, (list, tuple)) and wanted not in offered:
            return f"cannot be on subnet {subnet.id}: {name} are {list(offered)}, not {wanted}"  # pyright: ignore[reportUnknownArgumentType]
    return None


def protocol(pool: Pool, request: Request) -> Refusal:
    offered = str(pool.capabilities.get("storage_protocol", "")).split("_")
    return None if request.proto in offered else f"serves {'/'.join(offered)}, not {request.proto}"


def capabilities(pool: Pool, request: Request) -> Refusal:
    """Every unscoped extra spec must hold; scoped ones (`a:b`) are for others, except
    `capabilities:x`."""
    for key, wanted in request.share_type.extra_specs.items():
        scope, colon, rest = key.partition(":")
        name = rest if colon and scope == "capabilities" else key
        if (colon and scope != "capabilities") or name in _NOT_CAPABILITIES:
            continue
        if name.endswith("_support") and wanted.lower() in ("false", "<is> false"):
            continue  # the share will not offer it; the pool may
        if not _satisfies(pool.capabilities.get(name), wanted):
            have = pool.capabilities.get(name)
            return f"{name} is {have!r}, the share type wants {wanted!r}"
    return None


def isolation(pool: Pool, request: Request) -> Refusal:
    """A project that requires network isolation gets no share by access rules alone (D-M5)."""
    if request.require_network_isolation and pool.capabilities.get("isolation") == "acl":
        return "isolates by access rules only; the project requires network isolation"
    return None


def capacity(pool: Pool, request: Request) -> Refusal:
    reserved = _number(pool.capabilities.get("reserved_percentage"), 0.0)
    ratio = _number(pool.capabilities.get("max_over_subscription_ratio"), 1.0)
    usable = pool.total_gib * (1 - reserved / 100)
    if pool.capabilities.get("thin_provisioning"):
        room = usable * ratio - pool.provisioned_gib
        if pool.free_gib <= 0:
            return "is full"
    else:
        room = min(pool.free_gib, usable - pool.provisioned_gib)
    if request.size_gib > room:
        return f"has room for {max(room, 0):.0f} GiB, not {request.size_gib}"
    return None


def hints(pool: Pool, request: Request) -> Refusal:
    if request.only_host and pool.name != request.only_host:
        return f"is not {request.only_host}"
    if request.same_host and pool.name not in request.same_host:
        return "does not hold the shares of hint same_host"
    if pool.name in request.different_host:
        return "holds a share of hint different_host"
    return None


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _satisfies(have: object, wanted: str) -> bool:
    operator, _, operand = wanted.partition(" ")
    if operator == "<is>":
        return _truth(have) == _truth(operand)
    if operator == "<in>":
        return have is not None and operand in str(have)
    if operator == "<or>":
        return str(have) in [x.strip() for x in wanted.split("<or>")[1:]]
    compare: Mapping[str, Callable[[float, float], bool]] = {
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
    }
    if operator in compare:
        try:
            return compare[operator](float(str(have)), float(operand))
        except ValueError:
            return False
    if isinstance(have, (list, tuple)):
        return wanted in [str(x) for x in have]  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if isinstance(have, bool):
        return have == _truth(wanted)
    return have is not None and str(have).lower() == wanted.lower()


def _truth(value: object) -> bool:
    return str(value).strip().lower() in ("1", "true", "t", "yes", "y", "on")


class Filter(msgspec.Struct, frozen=True):
    name: str  # as the message shows it
    check: Callable[[Pool, Request], Refusal]
    detail_id: str  # of the user message when this filter refused the last pool


FILTERS = (
    Filter("Service", service_up, "028"),
    Filter("AvailabilityZone", availability_zone, "007"),
    Filter("Driver", driver, "010"),
    Filter("Network", network, "004"),
    Filter("Protocol", protocol, "008"),
    Filter("Capabilities", capabilities, "008"),
    Filter("Isolation", isolation, "008"),
    Filter("Capacity", capacity, "009"),
    Filter("Hints", hints, "002"),
)
