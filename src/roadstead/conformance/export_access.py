"""Who every export driver must let in, and whom not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import FAR, NEAR, SIBLING, SIX, ref, rule
from roadstead.model.errors import NotFound

if TYPE_CHECKING:
    from roadstead.conformance.exports import ExportBench
    from roadstead.model import world as w


class AccessConformance:
    """The suite; with a fixture `bench` as for ExportConformance."""

    def test_rules_are_replaced(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR), bench.rule(FAR, "ro"))
        assert bench.level_of(FAR, spec) == "ro"
        assert bench.allow(spec, [bench.rule(NEAR, "ro"), bench.rule(SIBLING)]) == [None, None]
        levels = [bench.level_of(client, spec) for client in (NEAR, SIBLING, FAR)]
        assert levels == ["ro", "rw", None]
        assert bench.found()[spec.instance_id].facts["clients"] == bench.clients(
            near="ro", sibling="rw"
        )
        assert bench.allow(spec, []) == []
        assert bench.level_of(NEAR, spec) is None

    def test_an_unknown_export_has_no_rules(self, bench: ExportBench) -> None:
        kept = bench.exported(bench.rule(NEAR))
        for spec in (bench.spec(), bench.spec(export_id=kept.export_id)):
            with pytest.raises(NotFound):
                bench.allow(spec, [bench.rule(FAR)])
        assert bench.level_of(FAR, kept) is None


class IpAccessConformance(AccessConformance):
    """The suite of a driver whose rules name addresses."""

    # D-I4
    @pytest.mark.parametrize(
        "bad",
        [
            rule("alice", kind="user"),
            rule("CN=client", kind="cert"),
            rule("client.example.org"),
            rule("*"),
            rule("@netgroup"),
            rule("10.9.0.300"),
            rule("10.9.0.11/33"),
            rule("10.9.0.11; } CLIENT { Clients = *; Access_Type = RW; } #"),
            rule('fe80::1%";} EXPORT {'),
            rule("fe80::1%eth0"),
            rule("::ffff:10.9.0.11"),
            rule("\n10.9.0.11"),
            rule(""),
            rule(NEAR, level="admin"),
        ],
        ids=lambda r: repr(r.access_to),
    )
    def test_a_rule_that_cannot_be_expressed_is_reported(
        self, bench: ExportBench, bad: w.RuleSpec
    ) -> None:
        spec = bench.exported()
        problems = bench.allow(spec, [rule(FAR), bad, rule(SIX)])
        assert problems[0] is None
        assert problems[1]
        assert problems[2] is None
        levels = [bench.level_of(client, spec) for client in (NEAR, FAR, SIX)]
        assert levels == [None, "rw", "rw"]
        assert bench.allow(spec, [rule(FAR)]) == [None]

    # D-I6
    def test_the_most_specific_rule_counts_whatever_the_order(self, bench: ExportBench) -> None:
        spec = bench.exported()
        rules = [rule("10.9.0.0/24", "ro"), rule(NEAR, "rw"), rule("10.0.0.0/8", "rw")]
        for order in itertools.permutations(rules):
            bench.allow(spec, order)
            levels = [bench.level_of(client, spec) for client in (NEAR, SIBLING, FAR)]
            assert levels == ["rw", "ro", None]

    # D-I3
    @pytest.mark.parametrize(
        ("target", "admitted"),
        [
            (f"{NEAR}/32", {NEAR}),
            ("10.9.0.0/28", {NEAR, SIBLING}),
            ("10.9.0.77/24", {NEAR, SIBLING}),
            ("0.0.0.0/0", {NEAR, SIBLING, FAR}),
            ("128.0.0.0/1", {FAR}),
            ("::/0", {SIX}),
            (SIX, {SIX}),
            (f"{SIX}/128", {SIX}),
            ("fd00:9::10/124", {SIX}),
            ("fd00:9::/64", {SIX}),
            ("fd00:9::12/127", set[str]()),
        ],
    )
    def test_a_network_admits_its_clients_only(
        self, bench: ExportBench, target: str, admitted: set[str]
    ) -> None:
        spec = bench.exported(rule(target))
        everybody = (NEAR, SIBLING, FAR, SIX)
        assert {client for client in everybody if bench.level_of(client, spec)} == admitted

    def test_both_families_at_once(self, bench: ExportBench) -> None:
        spec = bench.exported(rule("::/0", "ro"), rule("0.0.0.0/0", "rw"), rule(NEAR, "ro"))
        levels = [bench.level_of(client, spec) for client in (NEAR, FAR, SIX)]
        assert levels == ["ro", "rw", "ro"]
        # A level can be changed by its rule alone.
        bench.allow(spec, [rule("::/0", "rw"), rule("0.0.0.0/0", "ro")])
        levels = [bench.level_of(client, spec) for client in (NEAR, FAR, SIX)]
        assert levels == ["ro", "ro", "rw"]

    # D-I5
    @pytest.mark.parametrize(
        ("server", "client", "stranger"),
        [("10.9.0.1", NEAR, FAR), ("fd00:9::1", SIX, "fd00:9::1"), ("10.9.0.1", "127.0.0.3", FAR)],
    )
    def test_a_probe_gets_what_a_client_gets(
        self, bench: ExportBench, server: str, client: str, stranger: str
    ) -> None:
        spec = bench.exported(rule(client, "ro"))
        before = bench.found()

        def outcome(source: str) -> str:
            found = bench.driver.probe(ref(spec), server=server, source=source)
            assert (found.server, found.source) == (server, source)
            return found.outcome

        assert [outcome(client), outcome(stranger)] == ["admitted", "refused"]
        assert bench.found() == before
        bench.allow(spec, [])
        assert outcome(client) == "refused"
        bench.driver.ensure_export_absent(ref(spec))
        assert outcome(client) == "refused"
        bench.driver.ensure_server_absent(bench.place)
        assert outcome(client) == "error"
