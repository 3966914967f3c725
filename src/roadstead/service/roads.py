"""The way to a share, explained and probed. Only its owner is told: rules name other clients."""

import msgspec

from roadstead.explain.server import ServerFacts, explain_server
from roadstead.explain.share import UNKNOWN, Explanation, Facts, Hop, explain
from roadstead.explain.vm import VmFacts, explain_vm
from roadstead.model.errors import BadRequest, NotFound
from roadstead.model.probes import Probe
from roadstead.model.queries import AttachmentFilter, RuleFilter
from roadstead.model.quotas import Usage
from roadstead.model.shares import ExportLocation, Share
from roadstead.ops.subjects import of_share
from roadstead.roads.addresses import flows_of
from roadstead.roads.registry import serving_name
from roadstead.service.attachments import is_alive, reach_vm
from roadstead.service.context import Caller, Service
from roadstead.service.locks import HIDDEN, sees, shown
from roadstead.service.shares import reach_own
from roadstead.store import (
    access,
    attachments,
    export_locations,
    flows,
    gateway_reports,
    pools,
    probes,
    share_networks,
    share_servers,
    vms,
)
from roadstead.store.db import Tx
from roadstead.store.quotas import usage
from roadstead.store.scope import everyone


def explain_share(
    service: Service, caller: Caller, share_id: str, client: str | None
) -> tuple[Facts, Explanation, Usage]:
    """What leads to the share, for this client if one is named, and the project's gigabytes.
    BadRequest when the client is no address."""
    with service.db.read() as tx:
        share = reach_own(tx, caller, share_id)
        facts = Facts(
            share=share,
            locations=_locations(tx, caller, share),
            rules=access.of_share(tx, caller.scope, share_id, RuleFilter()),
            probe=probes.find(tx, caller.scope, share_id),
            **_road(tx, share),
        )
        behind = _behind(tx, share)
        gigabytes = usage(tx, share.project_id, service.default_limits)["gigabytes"]
    try:
        if behind is None:
            found = explain(facts, client)
        else:
            found = explain_server(facts, behind, client, admin=caller.is_admin)
    except ValueError as error:
        raise BadRequest(f"client must be an IPv4 or IPv6 address, not {client!r}") from error
    return facts, _as_seen_by(caller, facts, found), gigabytes


def _locations(tx: Tx, caller: Caller, share: Share) -> list[ExportLocation]:
    return export_locations.of_share(tx, share, admin=caller.is_admin, metadata=False)


def _road(tx: Tx, share: Share) -> dict[str, str]:
    """The road by which the share is served, as its agent reported; {} where no agent does."""
    told = pools.capabilities(tx, share.host)
    if told is None:
        return {}
    return {
        "road": serving_name(told.get("roads", ())),
        "isolation": told.get("isolation", UNKNOWN),
    }


def _behind(tx: Tx, share: Share) -> ServerFacts | None:
    """The share server or gateway that the share is reached by; None on the direct road."""
    if share.share_server_id is None:
        return None
    server = share_servers.find(tx, everyone(), share.share_server_id)
    network = server and share_networks.get(tx, everyone(), server.share_network_id)
    if server is None or network is None:
        return None
    reports = gateway_reports.of_server(tx, server)
    passing = flows_of(flows.of_share(tx, share))
    return ServerFacts(
        network=network,
        server=server,
        flow=passing.get(share.instance_id),
        report=reports[0] if reports else None,
    )


def explain_vm_share(
    service: Service, caller: Caller, share_id: str, name_or_id: str
) -> tuple[Facts, Explanation, Usage]:
    """What leads to the share from inside this VM. NotFound: share or VM."""
    with service.db.read() as tx:
        share = reach_own(tx, caller, share_id)
        wanted = AttachmentFilter(share_id=share_id, vm=name_or_id)
        attached = attachments.find_all(tx, caller.scope, wanted)
        attachment = attached[0] if len(attached) == 1 else None
        gone = attachment is not None and not vms.find(tx, caller.scope, attachment.vm_id)
        vm = None if gone else reach_vm(tx, caller, attachment.vm_id if attachment else name_or_id)
        name = attachment.host if attachment else vm.host if vm else ""
        grant = attachments.grant_of(tx, attachment) if attachment else None
        host = vms.host(tx, name)
        facts = VmFacts(
            share=share,
            locations=_locations(tx, caller, share),
            vm=vm,
            attachment=attachment,
            host=host,
            alive=host is not None and is_alive(host),
            grant=access.get(tx, everyone(), grant.access_rule_id) if grant else None,
        )
        gigabytes = usage(tx, share.project_id, service.default_limits)["gigabytes"]
    found = explain_vm(facts, admin=caller.is_admin)
    return Facts(share=share, locations=facts.locations, rules=()), found, gigabytes


def _without(hop: Hop, hidden: list[str]) -> Hop:
    what = hop.what
    for target in hidden:
        what = what.replace(target, HIDDEN)
    return msgspec.structs.replace(hop, what=what)


def _as_seen_by(caller: Caller, facts: Facts, found: Explanation) -> Explanation:
    """Without the targets of rules that are hidden from the caller."""
    hidden = [rule.access_to for rule in facts.rules if not sees(caller, rule)]
    hops = tuple(_without(hop, hidden) for hop in found.hops)
    rule = None if found.rule is None else shown(caller, found.rule)
    return msgspec.structs.replace(found, hops=hops, rule=rule)


def start_probe(service: Service, caller: Caller, share_id: str) -> tuple[Share, str]:
    """The agent is going to probe the share, as the operation of this id. BadRequest: it is not
    served in its present status. Conflict: an operation on it is under way."""
    with service.acting(caller) as act:
        share = reach_own(act.tx, caller, share_id)
        return share, act.begin("share.probe", of_share(share)).id


def last_probe(service: Service, caller: Caller, share_id: str) -> Probe:
    """What the last probe found. NotFound when the share was never probed."""
    with service.db.read() as tx:
        reach_own(tx, caller, share_id)
        found = probes.find(tx, caller.scope, share_id)
    if found is None:
        raise NotFound(f"share {share_id} was never probed")
    return found
