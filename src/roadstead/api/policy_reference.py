"""The policy reference, docs/policy.md: each rule, who passes it, and what asks for it."""

from collections.abc import Iterable, Iterator, Mapping

from roadstead.api.policies import DOCUMENTED, ROLES, Rule
from roadstead.api.route import Route

_LAST_OS = 6  # up to 2.6 some names began with os-

_HEAD = (
    "# Policy\n\n"
    "Printed by `make docs` from the policies and the route table; do not edit.\n\n"
    "Each request needs the rule of its route; what it asks for may need another one. A file in "
    "the form of oslo.policy (`api.policy_file`, YAML or JSON) replaces single rules; one that it "
    "does not name stays as it is here. A changed file counts from the next request on. A rule "
    "that nobody knows admits nobody.\n\n"
    '    "share:create": "role:storage_user or rule:admin"\n\n'
    "Whatever the rules say, a project's resources are out of reach for everybody else but "
    "administrators (`context_is_admin`): an id of another project is not found.\n\n"
    "## Roles\n\n"
    "| rule | default |\n"
    "|---|---|\n"
)


def page(routes: Iterable[Route]) -> str:
    """The whole page."""
    asked = _asked(routes)
    lines = [f"| `{name}` | `{check}` |" for name, check in ROLES.items()]
    for title, rules in DOCUMENTED.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| rule | least role | allows to | by |",
            "|---|---|---|---|",
        ]
        lines += _rows(rules, asked)
    return _HEAD + "\n".join(lines) + "\n"


def _rows(rules: Mapping[str, Rule], asked: Mapping[str, list[str]]) -> Iterator[str]:
    for name, rule in rules.items():
        by = ", ".join(f"`{what}`" for what in asked.get(name, ())) or "asked on the way"
        yield f"| `{name}` | {rule.role} | {rule.allows} | {by} |"


def _asked(routes: Iterable[Route]) -> dict[str, list[str]]:
    """What a client sends for which each rule is asked, by its newest name."""
    found: dict[str, list[str]] = {}
    for route in routes:
        if route.policy is None or route.max == _LAST_OS:
            continue
        what = f"{route.method} {route.prefix}{route.path}"
        what += f" {route.action}" if route.action else ""
        known = found.setdefault(route.policy, [])
        if what not in known:
            known.append(what)
    return found
