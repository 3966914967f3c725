"""Access rules as user names, for servers that ask for a name and a password."""

import re
from collections.abc import Sequence

import msgspec

from roadstead.model.admission import LEVELS
from roadstead.model.world import RuleSpec

# Letters of either case are one name to such a server. No $ at the end: that is a machine's name.
_USER = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
# Accounts that the server itself needs.
SERVICE_USERS = ("root", "nobody", "roadstead-files")


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule comes to: a user's name, or the problem with it."""

    rule_id: str
    target: str = ""  # as the rule spells it
    user: str = ""
    password: str | None = None  # given with the rule
    problem: str | None = None


def admit_users(rules: Sequence[RuleSpec]) -> tuple[dict[str, str], list[Admitted]]:
    """The users in force, {name: level}, and what became of each rule, in the order of `rules`.

    The users depend on the set of rules only, never on their order.
    """
    levels: dict[str, str] = {}
    found: list[Admitted] = []
    for rule in rules:
        user, problem = rule.access_to.lower(), _problem(rule)
        if problem is not None:
            found.append(Admitted(rule_id=rule.rule_id, problem=problem))
            continue
        # The database may know two spellings of one name; of two levels ro is the safe one.
        levels[user] = min(levels.get(user, rule.access_level), rule.access_level)
        found.append(
            Admitted(
                rule_id=rule.rule_id, target=rule.access_to, user=user, password=rule.access_key
            )
        )
    return dict(sorted(levels.items())), found


def probe_user(instance_id: str) -> str:
    """The user as whom a share's own probe comes; admitted for its duration only."""
    return f"probe-{instance_id}"


def _problem(rule: RuleSpec) -> str | None:
    if rule.access_type == "ip":
        # The server could only narrow by address what users may do, and rules must only widen.
        return "an address alone opens no SMB share; only access type 'user' is supported here"
    if rule.access_type != "user":
        return f"access type {rule.access_type!r} is not supported here, only 'user'"
    if rule.access_level not in LEVELS:
        return f"access level {rule.access_level!r} is not supported here, only rw and ro"
    name = rule.access_to
    if not name.isascii() or not _USER.fullmatch(name.lower()):
        return f"{name!r} cannot be a user here: up to 64 letters, digits and . _ -, no groups"
    if name.lower() in SERVICE_USERS:
        return f"{name!r} is a name that the server itself needs; choose another"
    return None
