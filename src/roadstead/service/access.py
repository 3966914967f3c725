"""Access rules: allow, deny, change the level."""

import ipaddress
from collections.abc import Mapping

import msgspec
import structlog

from roadstead.model.access import AccessRule
from roadstead.model.errors import BadRequest, ConfigError, Forbidden, NotFound
from roadstead.model.ids import new_id
from roadstead.model.queries import RuleFilter
from roadstead.model.shares import Share
from roadstead.model.states import SHARE_TRANSITIONAL, AccessState
from roadstead.ops.begin import check
from roadstead.ops.subjects import of_rule
from roadstead.service import attached, locks, passwords
from roadstead.service.context import Caller, Service
from roadstead.service.locks import WantedLocks
from roadstead.service.share_networks import check_share as check_network
from roadstead.service.shares import get as get_share
from roadstead.service.shares import reach_own
from roadstead.store import access as store
from roadstead.store import share_types
from roadstead.store.db import Tx, lock_project, utcnow
from roadstead.store.scope import everyone

log = structlog.get_logger()
# The extra spec of share types whose rules may admit every address.
ANY_ADDRESS = "roadstead:allow_any_address"


class NewRule(msgspec.Struct, frozen=True, kw_only=True):
    access_type: str
    access_to: str
    access_level: str = "rw"
    metadata: Mapping[str, str] = {}
    locks: WantedLocks = WantedLocks()
    password: str | None = None  # of a user; None = one is made


def allow(service: Service, caller: Caller, share_id: str, new: NewRule) -> AccessRule:
    """The rule is `queued_to_apply` and will be in force, or in error with a message.

    BadRequest: a rule for the same target exists, the share is in a transitional state, or the
    project may not admit that network. Conflict: the user has another password there.
    """
    with service.acting(caller) as act:
        tx = act.tx
        share = reach_own(tx, caller, share_id)
        _check_share(tx, share)
        _check_target(service, tx, share, new)
        rule = AccessRule(
            id=new_id(),
            share_id=share_id,
            access_type=new.access_type,
            access_to=new.access_to,
            access_level=new.access_level,
            state=AccessState.QUEUED_TO_APPLY,
            access_key=passwords.sealed(service, tx, share, new.access_to, new.password),
            metadata=dict(new.metadata),
            created_at=utcnow(),
        )
        store.insert(tx, rule)
        locks.set_on_rule(tx, caller, rule, new.locks)
        act.begin("access.apply", of_rule(rule, share))
    return _shown(service, caller, rule)


def deny(
    service: Service, caller: Caller, share_id: str, access_id: str, *, unrestrict: bool = False
) -> None:
    """The rule is `queued_to_deny`; it goes when the backend has cut it. `unrestrict` lifts locks
    against its deletion first.

    NotFound: no such rule of this share. Conflict: it is just being applied. Forbidden: locked.
    """
    with service.acting(caller) as act:
        tx = act.tx
        share = reach_own(tx, caller, share_id)
        rule = store.get(tx, caller.scope, access_id)
        if rule is None or rule.share_id != share_id:
            raise NotFound(f"access rule {access_id} could not be found")
        attached.refuse_rule(tx, rule, "removed")
        locks.lift_for_deny(tx, caller, rule, unrestrict=unrestrict)
        _check_share(tx, share)
        act.begin("access.deny", of_rule(rule, share))


def update_level(service: Service, caller: Caller, rule_id: str, level: str) -> AccessRule:
    """The rule will be in force at `level`; nothing happens when it is so already."""
    with service.acting(caller) as act:
        tx = act.tx
        rule, share = _reach_rule(tx, caller, rule_id)
        if rule.access_level == level:
            return _shown(service, caller, rule)
        _check_share(tx, share)
        subject = of_rule(rule, share)
        check("access.update", subject)
        if level != "rw":
            attached.refuse_rule(tx, rule, f"changed to {level}")
        new = {"access_level": level}
        act.begin("access.update", subject, columns=new, old_level=rule.access_level)
    state = AccessState.QUEUED_TO_UPDATE
    changed = msgspec.structs.replace(rule, access_level=level, state=state)
    return _shown(service, caller, changed)


def find_all(
    service: Service, caller: Caller, share_id: str, wanted: RuleFilter
) -> list[AccessRule]:
    """The share's rules; none for a non-owner of a public share. NotFound: not visible. A rule
    whose target is hidden is not found by it."""
    share = get_share(service, caller, share_id)
    if not caller.is_admin and share.project_id != caller.project_id:
        return []
    with service.db.read() as tx:
        found = store.of_share(tx, caller.scope, share_id, wanted)
    if wanted.access_to is not None or wanted.access_key is not None:
        found = [rule for rule in found if locks.sees(caller, rule)]
    shown = [_shown(service, caller, rule) for rule in found]
    if wanted.access_key is None:
        return shown
    return [rule for rule in shown if rule.access_key == wanted.access_key]


def get(service: Service, caller: Caller, rule_id: str) -> AccessRule:
    """One rule of the caller's. NotFound otherwise."""
    with service.db.read() as tx:
        rule = store.get(tx, caller.scope, rule_id)
    if rule is None:
        raise NotFound(f"access rule {rule_id} could not be found")
    return _shown(service, caller, rule)


def merge_metadata(
    service: Service, caller: Caller, rule_id: str, new: Mapping[str, str]
) -> dict[str, str]:
    """The rule has these pairs, beside those it had; returns the pairs written."""
    with service.db.write() as tx:
        rule, share = _reach_rule(tx, caller, rule_id)
        lock_project(tx, share.project_id)
        store.merge_metadata(tx, rule, new)
    return dict(new)


def delete_metadata(service: Service, caller: Caller, rule_id: str, key: str) -> None:
    """The pair is gone. NotFound when there was none."""
    with service.db.write() as tx:
        rule, share = _reach_rule(tx, caller, rule_id)
        lock_project(tx, share.project_id)
        if not store.remove_metadata(tx, rule, key):
            raise NotFound(f"access rule {rule_id} has no metadata {key!r}")


def _shown(service: Service, caller: Caller, rule: AccessRule) -> AccessRule:
    """The rule as the caller may see it, its key in clear (X-7: it is stored sealed)."""
    if rule.access_key is None or not locks.sees(caller, rule):
        return locks.shown(caller, rule)
    key = None
    try:
        key = service.secrets.unseal(rule.access_key) if service.secrets else None
    except ConfigError as error:
        log.error("access key cannot be shown", access_rule=rule.id, error=str(error))
    return msgspec.structs.replace(rule, access_key=key)


def _reach_rule(tx: Tx, caller: Caller, rule_id: str) -> tuple[AccessRule, Share]:
    """The rule, the caller's to change. NotFound for a foreign one, Forbidden for a public
    share's."""
    rule = store.get(tx, everyone(), rule_id)
    missing = NotFound(f"access rule {rule_id} could not be found")
    if rule is None:
        raise missing
    try:
        return rule, reach_own(tx, caller, rule.share_id)
    except NotFound as error:  # which names the share
        raise missing from error


def _check_share(tx: Tx, share: Share) -> None:
    check_network(tx, share)
    if not share.host or share.status in SHARE_TRANSITIONAL:
        raise BadRequest(f"share {share.id} is {share.status or 'not placed'}; try again later")


def _check_target(service: Service, tx: Tx, share: Share, new: NewRule) -> None:
    """D-M2: only networks that the project may admit; everything (/0) only if the type says so."""
    if new.access_type != "ip":
        return
    try:
        network = ipaddress.ip_network(new.access_to, strict=False)
    except ValueError:
        return  # the backend will say so
    allowed = service.permitted_cidrs.get(share.project_id)
    if allowed is not None and not _within(network, allowed):
        raise Forbidden(f"project may not admit {new.access_to}; permitted: {', '.join(allowed)}")
    if network.prefixlen == 0 and service.refuse_any_address:
        found = share_types.get(tx, everyone(), share.share_type_id or "")
        if found is None or not found.spec_bool(ANY_ADDRESS):
            name = share.share_type_name or "of the share"
            raise Forbidden(
                f"{new.access_to} admits everybody. Name the networks of your clients, or have an "
                f"administrator allow it for share type {name} with the extra spec "
                f"{ANY_ADDRESS}=True"
            )


def _within(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, allowed: tuple[str, ...]
) -> bool:
    for text in allowed:
        other = ipaddress.ip_network(text)
        if isinstance(network, ipaddress.IPv4Network):
            if isinstance(other, ipaddress.IPv4Network) and network.subnet_of(other):
                return True
        elif isinstance(other, ipaddress.IPv6Network) and network.subnet_of(other):
            return True
    return False
