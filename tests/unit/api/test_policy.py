"""Roles, the table's rules, and the operator's file."""

import os
import time
from pathlib import Path

import pytest

import roadstead
from roadstead.api.auth import Identity
from roadstead.api.policies import DOCUMENTED, ROLES, RULES
from roadstead.api.policy import Policy
from roadstead.api.routes import ROUTES
from roadstead.api.routes_v1 import ROUTES_V1
from roadstead.model.errors import ConfigError

_POLICY = Policy()
# All that could ask; what defines the rules itself names them without their prefix.
SOURCE = "".join(path.read_text() for path in Path(roadstead.__file__).parent.rglob("*.py"))
# Which roles, alone in a token, pass a rule of each kind.
ADMITTED = {
    "rule:reader": {"reader", "member", "admin"},
    "rule:member": {"member", "admin"},
    "rule:admin": {"admin"},
}


def _who(*roles: str) -> Identity:
    return Identity(user_id="u", project_id="p", roles=roles)


@pytest.mark.parametrize("rule", sorted(set(RULES) - set(ROLES)))
@pytest.mark.parametrize("role", ["reader", "member", "admin", "service", "other"])
def test_matrix(rule: str, role: str) -> None:
    assert _POLICY.allows(_who(role), rule) == (role in ADMITTED[RULES[rule]])


def test_nobody() -> None:
    assert not any(_POLICY.allows(_who(), rule) for rule in RULES)
    assert not _POLICY.allows(_who("admin"), "share:no_such_rule")
    assert _POLICY.allows(_who("service"), "service")


def test_every_route_has_a_known_rule() -> None:
    assert {r.policy for r in ROUTES if r.policy} <= set(RULES)
    assert [r.path for r in ROUTES if r.policy is None] == ["/limits"]


@pytest.mark.parametrize("name", [name for rules in DOCUMENTED.values() for name in rules])
def test_every_rule_is_asked_for_and_says_what_it_allows(name: str) -> None:
    """By a route, or on the way of one."""
    (rule,) = (rules[name] for rules in DOCUMENTED.values() if name in rules)
    assert rule.allows[0].islower()
    assert not rule.allows.endswith(".")
    assert name in {r.policy for r in (*ROUTES, *ROUTES_V1)} or f'"{name}"' in SOURCE


def test_no_two_rows_answer_the_same_request() -> None:
    seen: dict[tuple[str, str, str | None, int], str] = {}
    for route in ROUTES:
        shape = "/".join("{}" if s.startswith("{") else s for s in route.path.split("/"))
        for minor in range(route.min, (99 if route.max is None else route.max) + 1):
            assert seen.setdefault((route.method, shape, route.action, minor), shape) == shape
    total = sum((99 if r.max is None else r.max) - r.min + 1 for r in ROUTES)
    assert len(seen) == total


def test_file_overrides(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text('"share:create": "rule:admin"\n"share:get": "user_id:ann"\n')
    policy = Policy(path)
    assert not policy.allows(_who("member"), "share:create")
    assert policy.allows(_who("admin"), "share:create")
    assert policy.allows(_who("member"), "share:delete")
    assert not policy.allows(_who("member"), "share:get")
    assert policy.allows(Identity(user_id="ann", project_id="p"), "share:get")
    path.write_text('"share:create": "rule:member"\n')
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert policy.allows(_who("member"), "share:create")
    path.write_text("]broken[")
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 2 * 10**9))
    assert policy.allows(_who("member"), "share:create")


@pytest.mark.parametrize("text", ["]broken[", '"share:get": "rule:nosuch"\n'])
def test_bad_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.yaml"
    with pytest.raises(ConfigError):
        Policy(path)
    path.write_text(text)
    with pytest.raises(ConfigError):
        Policy(path)
