"""The effective path of one share for one client, hop by hop, and the rule that admits it.

Pure: from what the database holds to what a person wants to know. Whether the world agrees is
what the last probe says.
"""

import ipaddress
from collections.abc import Sequence

import msgspec

from roadstead.model.access import AccessRule
from roadstead.model.admission import Network, by_specificity, plain_address
from roadstead.model.attachments import Attachment
from roadstead.model.probes import Probe
from roadstead.model.shares import ExportLocation, Share
from roadstead.model.states import ACCESS_IN_FORCE, AccessState, Verdict
from roadstead.model.verbs import SHARE_NOT_SERVED

UNKNOWN = "unknown"
_RULES_ALONE = "acl"
ADMITTED, REFUSED, UNREACHABLE = "admitted", "refused", "unreachable"


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One station on the way. `ok` is False where the way ends, None where it cannot be known."""

    name: str
    what: str
    ok: bool | None = True


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know about a share. Of its road what the pool's agent reported; UNKNOWN
    where the pool has gone."""

    share: Share
    locations: Sequence[ExportLocation]
    rules: Sequence[AccessRule]
    probe: Probe | None = None
    road: str = UNKNOWN
    isolation: str = UNKNOWN


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict` is None when no client was named; `attachment` is there for a VM that has one."""

    road: str
    isolation: str
    addresses: tuple[str, ...]
    paths: tuple[str, ...]
    client: str | None = None
    verdict: str | None = None
    rule: AccessRule | None = None
    hops: tuple[Hop, ...] = ()
    attachment: Attachment | None = None


def admitting_rule(rules: Sequence[AccessRule], client: str) -> AccessRule | None:
    """The rule that decides for this address: of those in force the most specific one, whatever
    its level. ValueError when the client is no address."""
    address = ipaddress.ip_address(client)
    found = {network: r for r in rules if (network := _network(r)) and address in network}
    return found[by_specificity(found)[0]] if found else None


def explain(facts: Facts, client: str | None = None) -> Explanation:
    """What happens when this client mounts the share. ValueError when it is no address."""
    if client is not None:
        client = plain_address(str(ipaddress.ip_address(client)))
    rule = None if client is None else admitting_rule(facts.rules, client)
    locations = _reachable(facts.locations, client)
    verdict = None
    if client is not None:
        verdict = REFUSED if rule is None else ADMITTED if locations else UNREACHABLE
    return Explanation(
        road=facts.road,
        isolation=facts.isolation,
        addresses=tuple(_address(location.path) for location in facts.locations),
        paths=tuple(location.path for location in facts.locations),
        client=client,
        verdict=verdict,
        rule=rule,
        hops=(
            *_client_hops(facts, client, locations),
            _rule_hop(facts, client, rule),
            export_hop(facts),
            pool_hop(facts.share),
            probe_hop(facts.probe),
        ),
    )


def _network(rule: AccessRule) -> Network | None:
    """The clients it means; None when it is not in force, or is no rule by address."""
    if rule.access_type != "ip" or rule.state not in ACCESS_IN_FORCE:
        return None
    try:
        return ipaddress.ip_network(rule.access_to, strict=False)
    except ValueError:
        return None


def _address(path: str) -> str:
    """The server in an export path: `10.0.0.1:/share-…`, `[fd00::1]:/share-…`."""
    return path.partition(":/")[0].strip("[]")


def _reachable(locations: Sequence[ExportLocation], client: str | None) -> list[ExportLocation]:
    """The locations in the client's address family."""
    if client is None:
        return list(locations)
    return [x for x in locations if (":" in _address(x.path)) == (":" in client)]


def _client_hops(
    facts: Facts, client: str | None, locations: Sequence[ExportLocation]
) -> tuple[Hop, ...]:
    what = f"flat: the client sends to the backend's own addresses; isolation={facts.isolation}"
    if facts.isolation == _RULES_ALONE:
        what = f"{what}, only access rules keep tenants apart"
    network = Hop(name="network", what=what, ok=None)
    if not facts.locations:
        return (Hop(name="client", what="there is no path to mount yet", ok=False), network)
    if not locations:
        family = "IPv6" if client and ":" in client else "IPv4"
        what = f"{client} is an {family} address, and the backend has none of that kind"
        return (Hop(name="client", what=what, ok=False), network)
    paths = " or ".join(location.path for location in locations)
    return (Hop(name="client", what=f"{client or 'a client'} mounts {paths}"), network)


def _rule_hop(facts: Facts, client: str | None, rule: AccessRule | None) -> Hop:
    in_force = {network: r for r in facts.rules if (network := _network(r))}
    if client is None:
        listed = ", ".join(
            f"{in_force[n].access_to} {in_force[n].access_level}" for n in by_specificity(in_force)
        )
        what = f"most specific first: {listed}" if listed else "no rule: nobody is admitted"
        return Hop(name="rule", what=what, ok=bool(listed))
    if rule is None:
        what = f"refused: none of {len(in_force)} rules in force admits {client}"
        return Hop(name="rule", what=what, ok=False)
    what = f"{rule.access_to} admits {client} at level {rule.access_level} (rule {rule.id})"
    if rule.state != AccessState.ACTIVE:
        return Hop(name="rule", what=f"{what}; it is {rule.state}", ok=None)
    return Hop(name="rule", what=what)


def export_hop(facts: Facts) -> Hop:
    """The share as its export server has it."""
    paths = ", ".join(location.path for location in facts.locations)
    served = bool(paths) and facts.share.status not in SHARE_NOT_SERVED
    what = f"{facts.share.proto} export at {paths}" if paths else "not exported"
    return Hop(name="export", what=f"{what}; the share is {facts.share.status}", ok=served)


def pool_hop(share: Share) -> Hop:
    """Where the bytes are."""
    return Hop(name="pool", what=f"{share.size_gib} GiB for the share's data")


def probe_hop(probe: Probe | None) -> Hop:
    """What the last probe found."""
    if probe is None:
        return Hop(name="probe", what="never probed", ok=None)
    when = probe.finished_at.isoformat(timespec="seconds")
    what = f"{probe.finding.verdict} at {when} UTC"
    if probe.finding.problem:
        what = f"{what}: {probe.finding.problem}"
    return Hop(name="probe", what=what, ok=probe.finding.verdict != Verdict.BROKEN)
