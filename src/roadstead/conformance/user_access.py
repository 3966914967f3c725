"""Whom every export driver must let in whose rules name users, and whom not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.conformance.export_access import AccessConformance
from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, USERS, ref, rule
from roadstead.model.user_admission import probe_user

if TYPE_CHECKING:
    from roadstead.conformance.exports import ExportBench
    from roadstead.model import world as w


def user(name: str, level: str = "rw") -> w.RuleSpec:
    return rule(name, level, "user")


class UserAccessConformance(AccessConformance):
    """The suite of a driver whose rules name users."""

    # D-I4
    @pytest.mark.parametrize(
        "bad",
        [
            rule(NEAR),
            rule("0.0.0.0/0"),
            rule("CN=client", kind="cert"),
            *(
                user(name)
                for name in (
                    "", "root", "Nobody", "machine$", "two words", "al%U", "@group", "+group",
                    "DOMAIN\\alice", "RSHARE/alice", "alice,bob", 'alice" "bob', "alice\n",
                    "alice]\n[global", "jürgen", "\u212airk", "-alice", "x" * 65,
                )
            ),
            user("alice", level="admin"),
        ],
        ids=lambda r: repr(r.access_to),
    )  # fmt: skip
    def test_a_rule_that_cannot_be_expressed_is_reported(
        self, bench: ExportBench, bad: w.RuleSpec
    ) -> None:
        spec = bench.exported()
        problems = bench.allow(spec, [bench.rule(FAR), bad, bench.rule(SIX)])
        assert problems[0] is None
        assert problems[1]
        assert problems[2] is None
        assert [bench.level_of(c, spec) for c in (NEAR, FAR, SIX)] == [None, "rw", "rw"]

    def test_a_user_is_one_however_it_is_spelled(self, bench: ExportBench) -> None:
        spec = bench.exported()
        both = [user(USERS[SIBLING].upper(), "rw"), bench.rule(SIBLING, "ro")]
        for rules in itertools.permutations(both):
            assert bench.allow(spec, rules) == [None, None]
            assert bench.level_of(SIBLING, spec) == "ro"
        assert bench.keys[both[0].access_to] == bench.keys[both[1].access_to]

    def test_a_name_that_means_everybody_admits_one_user(self, bench: ExportBench) -> None:
        bench.exported(bench.rule(FAR))
        spec = bench.exported(user("everyone"), user("S-1-1-0"), user("S-1-5-11"), user("users"))
        assert bench.level_of(FAR, spec) is None
        assert bench.level_of(NEAR, spec) is None

    def test_the_longest_name(self, bench: ExportBench) -> None:
        spec = bench.exported(user("x" * 64))
        assert bench.keys["x" * 64]
        assert bench.found()[spec.instance_id].facts["clients"] == {"x" * 64: "rw"}

    def test_applying_again_changes_no_password(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        key = bench.keys[USERS[NEAR]]
        assert len(key) >= 24
        bench.allow(spec, [bench.rule(NEAR, "ro"), bench.rule(FAR)])
        assert bench.keys[USERS[NEAR]] == key != bench.keys[USERS[FAR]]
        assert bench.level_of(NEAR, spec) == "ro"

    def test_a_user_admitted_anew_gets_a_new_password(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        key = bench.keys[USERS[NEAR]]
        bench.allow(spec, [])
        bench.allow(spec, [bench.rule(NEAR)])
        assert bench.keys[USERS[NEAR]] != key
        assert bench.level_of(NEAR, spec) == "rw"
        bench.keys[USERS[NEAR]] = key
        assert bench.level_of(NEAR, spec) is None

    def test_a_given_password_is_the_password(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        for given in ("first given password", "second given password"):
            bench.allow(spec, [msgspec.structs.replace(bench.rule(NEAR), access_key=given)])
            assert bench.keys[USERS[NEAR]] == given
            assert bench.level_of(NEAR, spec) == "rw"

    def test_what_was_answered_may_be_given(self, bench: ExportBench) -> None:
        """A lost server is built again from the database, and users' passwords stay."""
        spec = bench.exported(bench.rule(NEAR))
        key = bench.keys[USERS[NEAR]]
        again = msgspec.structs.replace(bench.rule(NEAR), access_key=key)
        bench.allow(spec, [again])
        bench.driver.ensure_server_absent(bench.place)
        bench.driver.ensure_server(bench.place)
        bench.driver.ensure_export(spec)
        bench.allow(spec, [again])
        assert bench.keys[USERS[NEAR]] == key
        assert bench.level_of(NEAR, spec) == "rw"

    def test_an_owner_has_one_password_for_a_user(self, bench: ExportBench) -> None:
        first = bench.exported(bench.rule(NEAR))
        key = bench.keys.pop(USERS[NEAR])
        second = bench.exported(bench.rule(NEAR, "ro"))
        assert bench.keys[USERS[NEAR]] == key
        assert [bench.level_of(NEAR, s) for s in (first, second)] == ["rw", "ro"]
        bench.allow(first, [])
        assert [bench.level_of(NEAR, s) for s in (first, second)] == [None, "ro"]

    #
    def test_owners_have_no_user_in_common(self, bench: ExportBench) -> None:
        mine = bench.exported(bench.rule(NEAR))
        theirs = bench.spec(owner="another project")
        bench.driver.ensure_export(theirs)
        problems = bench.allow(theirs, [bench.rule(NEAR), bench.rule(FAR)])
        assert "in use" in (problems[0] or "")
        assert problems[1] is None
        assert [bench.level_of(NEAR, s) for s in (mine, theirs)] == ["rw", None]
        assert [bench.level_of(FAR, s) for s in (mine, theirs)] == [None, "rw"]
        # The name is free again as soon as nobody uses it.
        bench.allow(mine, [])
        assert bench.allow(theirs, [bench.rule(NEAR)]) == [None]

    # D-I5
    @pytest.mark.parametrize("server", ["10.9.0.1", "fd00:9::1"])
    def test_a_probe_gets_what_a_client_gets(self, bench: ExportBench, server: str) -> None:
        spec = bench.exported(bench.rule(NEAR))
        source = SIX if ":" in server else NEAR

        def outcome() -> str:
            found = bench.driver.probe(ref(spec), server=server, source=source)
            assert (found.server, found.source) == (server, source)
            return found.outcome

        assert outcome() == "refused"
        bench.allow(spec, [bench.rule(NEAR), user(probe_user(spec.instance_id), "ro")])
        before = bench.found()
        assert outcome() == "admitted"
        assert bench.found() == before
        bench.allow(spec, [bench.rule(NEAR)])
        assert outcome() == "refused"
        bench.driver.ensure_export_absent(ref(spec))
        assert outcome() == "refused"
        bench.driver.ensure_server_absent(bench.place)
        assert outcome() == "error"
