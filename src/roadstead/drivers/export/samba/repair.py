"""From what is stored to what is so: accounts, connections, and what is to be said of the rest."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from roadstead.drivers.export.samba import conf
from roadstead.drivers.export.samba.server import Server
from roadstead.model.user_admission import Admitted
from roadstead.model.world import Mark, RuleOutcome


def admit(server: Server, owner: str, rule: Admitted, taken: Collection[str]) -> RuleOutcome:
    """What becomes of the rule; if it can be in force, its user has an account of the owner's.
    `taken` are names of other owners' users."""
    problem = rule.problem
    if problem is None and rule.user in taken:
        problem = f"user name {rule.user!r} is in use on this server; choose another"
    if problem is not None:
        return RuleOutcome(rule_id=rule.rule_id, problem=problem)
    store = server.control.set_password
    key = server.accounts.ensure(rule.user, owner, rule.password, store)
    return RuleOutcome(rule_id=rule.rule_id, access_key=key)


def retire(server: Server) -> None:
    """No account is left that no export has a use for."""
    exports = server.files.all().values()
    # To be cut, a user has to be recognised.
    used = {name for stored in exports for name in (*stored.users, *stored.cut)}
    server.accounts.retain(used, server.control.remove_user)


def cut(server: Server, stored: conf.StoredExport) -> None:
    """The connections that have to be ended are, and it is noted. The server has been told what
    is stored."""
    if not stored.cut:
        return
    accounts = server.accounts.all()
    uids = {name: accounts[name].uid for name in stored.cut if name in accounts}
    once = {uid for name, uid in uids.items() if name in stored.users}
    ever = set(uids.values()) - once
    server.control.cut(conf.share_name(stored.instance_id), once=once, ever=ever)
    server.files.write(msgspec.structs.replace(stored, cut=[]))


def marks(
    stored: Iterable[conf.StoredExport], published: Mapping[str, str], *, running: bool
) -> Iterator[Mark]:
    """Every export as found in its file and in the configuration that the server was told."""
    names: set[str] = set()
    for export in stored:
        name = conf.share_name(export.instance_id)
        names.add(name)
        facts: dict[str, object] = {
            "export_id": export.export_id,
            "path": export.path,
            "clients": dict(export.targets),
        }
        broken = _broken(export, published.get(name), running)
        yield Mark(kind="export", id=export.instance_id, facts=facts, broken=broken)
    for name in published.keys() - names:
        owner = conf.instance_of_share(name)
        if owner is not None:
            yield Mark(kind="export", id=owner, broken="no file")


def _broken(export: conf.StoredExport, told: str | None, running: bool) -> str | None:
    if told is None or not running:
        return "not served"
    if told != conf.share_text(export):
        return "something else is served"
    if export.cut:
        return "connections of users no longer admitted are not cut yet"
    return None
