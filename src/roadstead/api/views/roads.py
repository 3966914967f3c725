"""A share's way, and what a probe found on it."""

from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.api.views.attachments import attachment
from roadstead.api.views.common import when
from roadstead.explain.share import Explanation, Facts
from roadstead.model.access import AccessRule
from roadstead.model.probes import Probe, Tried
from roadstead.model.quotas import Usage


def explanation(call: Call, facts: Facts, found: Explanation, gigabytes: Usage) -> dict[str, Any]:
    """The whole way; which backend it is, is for administrators, as in a share's body."""
    share, rule = facts.share, found.rule
    body: dict[str, Any] = {
        "share_id": share.id,
        "name": share.name,
        "status": share.status,
        "protocol": share.proto,
        "road": found.road,
        "isolation": found.isolation,
        "addresses": found.addresses,
        "paths": found.paths,
        "client": found.client,
        "verdict": found.verdict,
        "level": rule.access_level if rule else None,
        "rule": _rule(rule) if rule else None,
        "size_gib": share.size_gib,
        "quota": {"gigabytes": msgspec.to_builtins(gigabytes)},
        "last_probe": probe(facts.probe) if facts.probe else None,
        "hops": [msgspec.to_builtins(hop) for hop in found.hops],
    }
    if found.attachment is not None:
        body["attachment"] = attachment(call, found.attachment)
        body["level"] = found.attachment.access_level
    if call.caller.is_admin:
        body["backend"] = share.host
    return body


def _rule(rule: AccessRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "access_type": rule.access_type,
        "access_to": rule.access_to,
        "access_level": rule.access_level,
        "state": rule.state,
    }


def probe(found: Probe) -> dict[str, Any]:
    """A finding and its evidence."""
    return {
        "share_id": found.share_id,
        "operation_id": found.operation_id,
        "verdict": found.finding.verdict,
        "problem": found.finding.problem,
        "note": found.finding.note,
        "attempts": [_tried(tried) for tried in found.finding.tried],
        "started_at": when(found.started_at),
        "finished_at": when(found.finished_at),
    }


def _tried(tried: Tried) -> dict[str, Any]:
    return {"expected": tried.expected, **msgspec.to_builtins(tried.attempt)}
