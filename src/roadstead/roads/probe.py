"""Really connect, as a client that no rule admits and as one that is admitted, and say what came.

The clients are loopback addresses of the export server's own network namespace. Nothing with such
an address ever arrives from a network, so admitting one for a moment opens the share to nobody;
if we are killed within that moment, the sweep puts the exact set of rules back.
"""

import ipaddress
from collections.abc import Sequence

from roadstead.model.access import AccessRule
from roadstead.model.admission import admit, level_for
from roadstead.model.errors import Transient
from roadstead.model.probes import Finding, Tried
from roadstead.model.shares import ShareInstance
from roadstead.model.user_admission import probe_user
from roadstead.model.world import Attempt, Mark, RuleSpec
from roadstead.roads import serving
from roadstead.roads.backend import Backend

# By IP version. IPv6 has one loopback address: it is a stranger first and a guest afterwards.
_STRANGER = {4: "127.0.0.2", 6: "::1"}
_GUEST = {4: "127.0.0.3", 6: "::1"}


def probe(backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]) -> Finding:
    """What clients get, tried at each of the place's addresses. The caller holds the share's lock
    and read `rules` in it; they are in force afterwards, exactly. Transient when they could not
    be put back yet."""
    problem = _missing(backend, instance)
    if problem is not None:
        # Not touched: a probe tells, the sweep repairs.
        return Finding(problem=problem)
    strange, note = _as_stranger(backend, instance, rules)
    tried = (*strange, *_as_guest(backend, instance, rules))
    wrong = [t for t in tried if not t.as_expected]
    return Finding(tried=tried, note=note, problem=_told(wrong[0]) if wrong else None)


def put_back(backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]) -> None:
    """No guest is admitted any more. Nothing to do for a share that is not served."""
    if _missing(backend, instance) is None:
        serving.ensure_admitted(backend, instance, rules)


def _missing(backend: Backend, instance: ShareInstance) -> str | None:
    """What a client would find missing before any rule is looked at; None when all is there."""
    if not backend.place.addresses:
        return "the backend has no address that a client could mount from"
    if backend.pool.find_share(instance.id) is None:
        return "the share's filesystem is not mounted"
    try:
        mark = _export(backend, instance)
    except Transient as error:
        return f"the export server does not answer: {error}"
    if mark is None:
        return "the share is not exported"
    return None if mark.broken is None else f"the export is broken: {mark.broken}"


def _export(backend: Backend, instance: ShareInstance) -> Mark | None:
    found = backend.export.inventory(backend.place)
    return next((m for m in found if m.id == instance.id), None)


def _as_stranger(
    backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]
) -> tuple[list[Tried], str | None]:
    clients, _ = admit(serving.rule_specs(rules))
    tried: list[Tried] = []
    note = None
    for server in backend.place.addresses:
        source = _STRANGER[_version(server)]
        if level_for(source, clients) is not None:
            note = f"no refusal could be tried at {server}: a rule admits {source} too"
            continue
        tried.append(Tried(expected="refused", attempt=_try(backend, instance, server, source)))
    return tried, note


def _as_guest(
    backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]
) -> list[Tried]:
    ref = serving.export_ref(backend, instance)
    specs = serving.rule_specs(rules, backend.secrets)
    sources = {server: _GUEST[_version(server)] for server in backend.place.addresses}
    guests = _guests(instance, sorted(set(sources.values())))
    try:
        backend.export.ensure_access(ref, [*specs, *guests])
        return [
            Tried(expected="admitted", attempt=_try(backend, instance, server, source))
            for server, source in sources.items()
        ]
    finally:
        backend.export.ensure_access(ref, specs)


def _guests(instance: ShareInstance, sources: Sequence[str]) -> list[RuleSpec]:
    if instance.proto.upper() == "CIFS":
        # Its rules name users. The driver's client comes as this one, whatever its address.
        kind, targets = "user", [probe_user(instance.id)]
    else:
        kind, targets = "ip", list(sources)
    return [
        RuleSpec(rule_id=target, access_type=kind, access_to=target, access_level="ro")
        for target in targets
    ]


def _try(backend: Backend, instance: ShareInstance, server: str, source: str) -> Attempt:
    return backend.export.probe(serving.export_ref(backend, instance), server=server, source=source)


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _told(tried: Tried) -> str:
    a = tried.attempt
    why = a.detail or a.nfs_status or "no reason given"
    return f"{a.source} at {a.server} should be {tried.expected}, but: {a.outcome} ({why})"
