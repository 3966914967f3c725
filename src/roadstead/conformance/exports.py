"""What every export driver must do.

A driver is tested by a subclass with a fixture `bench` that gives an ExportBench:

    class TestMine(ExportConformance, IpAccessConformance):
        @pytest.fixture
        def bench(self, tmp_path): ...
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from roadstead.model import world as w
from roadstead.model.errors import Conflict, Transient, Unsupported
from roadstead.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadstead.drivers.base.export import ExportServer

# Addresses from which a bench can try to reach a share, and who comes from there where rules name
# users.
NEAR, SIBLING, FAR, SIX = "10.9.0.11", "10.9.0.12", "192.0.2.7", "fd00:9::11"
USERS = {NEAR: "near-user", SIBLING: "Sibling_User", FAR: "far.user", SIX: "six6"}


def rule(access_to: str, level: str = "rw", kind: str = "ip") -> w.RuleSpec:
    return w.RuleSpec(rule_id=new_id(), access_type=kind, access_to=access_to, access_level=level)


@dataclass
class ExportBench:
    """A driver and where to try it."""

    driver: ExportServer
    place: w.Place
    make_path: Callable[[], str]
    # The level at which this address really gets at the export; None when it does not.
    level_of: Callable[[str, w.ExportSpec], str | None]
    proto: str = "NFS"
    each: int = 20  # exports that each of several threads makes
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    # The last key that a rule for this target was answered with.
    keys: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def by_user(self) -> bool:
        """Whether rules name users here, and not addresses."""
        return self.proto == "CIFS"

    def rule(self, client: str, level: str = "rw") -> w.RuleSpec:
        """A rule that admits the client."""
        return rule(USERS[client], level, "user") if self.by_user else rule(client, level)

    def clients(self, **levels: str) -> dict[str, str]:
        """What an inventory has to say of whom it admits: near="rw", …"""
        addresses = {"near": NEAR, "sibling": SIBLING, "far": FAR}
        named = {addresses[name]: level for name, level in levels.items()}
        if self.by_user:
            return {USERS[client]: level for client, level in named.items()}
        return {f"{client}/32": level for client, level in named.items()}

    def numbered(self, number: int) -> tuple[w.RuleSpec, str]:
        """A rule of its own for each number, and how it is found again."""
        target = f"user-{number}" if self.by_user else f"10.9.{number}.0/24"
        return rule(target, kind="user" if self.by_user else "ip"), target

    def spec(self, **changes: object) -> w.ExportSpec:
        values: dict[str, object] = {
            "instance_id": new_id(),
            "export_id": next(self.numbers),
            "path": self.make_path(),
            "proto": self.proto,
            "place": self.place,
            "owner": "project",
        }
        return w.ExportSpec(**(values | changes))  # type: ignore[arg-type]

    def exported(self, *rules: w.RuleSpec) -> w.ExportSpec:
        """A new export with these rules in force."""
        spec = self.spec()
        self.driver.ensure_export(spec)
        self.allow(spec, rules)
        return spec

    def allow(self, spec: w.ExportSpec, rules: Sequence[w.RuleSpec]) -> list[str | None]:
        """Each rule's problem, in the order of the rules."""
        outcomes = self.driver.ensure_access(ref(spec), rules)
        assert [o.rule_id for o in outcomes] == [r.rule_id for r in rules]
        for outcome, given in zip(outcomes, rules, strict=True):
            if outcome.access_key is not None:
                self.keys[given.access_to] = outcome.access_key
        return [outcome.problem for outcome in outcomes]

    def found(self) -> dict[str, w.Mark]:
        return {mark.id: mark for mark in self.driver.inventory(self.place)}


def ref(spec: w.ExportSpec) -> w.ExportRef:
    return w.ExportRef(instance_id=spec.instance_id, export_id=spec.export_id, place=spec.place)


def facts(spec: w.ExportSpec, clients: dict[str, str]) -> dict[str, object]:
    return {"export_id": spec.export_id, "path": spec.path, "clients": clients}


class ExportConformance:
    """The suite."""

    def test_exporting_twice_is_exporting_once(self, bench: ExportBench) -> None:
        spec = bench.spec()
        first = bench.driver.ensure_export(spec)
        bench.allow(spec, [bench.rule(NEAR)])
        assert bench.driver.ensure_export(spec) == first
        assert bench.found() == {
            spec.instance_id: w.Mark(
                kind="export", id=spec.instance_id, facts=facts(spec, bench.clients(near="rw"))
            )
        }
        name = f"share-{spec.instance_id}"
        assert [location.path for location in first] == (
            [rf"\\10.9.0.1\{name}", rf"\\fd00-9--1.ipv6-literal.net\{name}"]
            if bench.by_user
            else [f"10.9.0.1:/{name}", f"[fd00:9::1]:/{name}"]
        )

    def test_a_new_export_admits_nobody(self, bench: ExportBench) -> None:
        spec = bench.exported()
        assert bench.level_of(NEAR, spec) is None
        assert bench.found()[spec.instance_id].facts["clients"] == {}

    def test_an_export_id_has_one_share(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        with pytest.raises(Conflict):
            bench.driver.ensure_export(bench.spec(export_id=spec.export_id))
        assert list(bench.found()) == [spec.instance_id]
        assert bench.level_of(NEAR, spec) == "rw"

    def test_a_share_has_one_export_id(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        with pytest.raises(Conflict):
            bench.driver.ensure_export(bench.spec(instance_id=spec.instance_id))
        assert bench.found()[spec.instance_id].facts["export_id"] == spec.export_id
        assert bench.level_of(NEAR, spec) == "rw"

    def test_a_share_that_moved_is_served_from_its_new_path(self, bench: ExportBench) -> None:
        old = bench.exported(bench.rule(NEAR, "ro"))
        new = bench.spec(instance_id=old.instance_id, export_id=old.export_id)
        bench.driver.ensure_export(new)
        assert bench.found()[new.instance_id].facts == facts(new, bench.clients(near="ro"))
        assert bench.level_of(NEAR, new) == "ro"

    def test_another_protocol_is_refused(self, bench: ExportBench) -> None:
        with pytest.raises(Unsupported):
            bench.driver.ensure_export(bench.spec(proto="HDFS"))
        assert bench.found() == {}

    def test_what_is_unknown_is_absent(self, bench: ExportBench) -> None:
        kept = bench.exported(bench.rule(NEAR))
        stranger = bench.spec(export_id=kept.export_id)
        for _ in range(2):
            bench.driver.ensure_export_absent(ref(bench.spec()))
            bench.driver.ensure_export_absent(ref(stranger))
        nowhere = w.Place(id="nowhere")
        bench.driver.ensure_export_absent(ref(bench.spec(place=nowhere)))
        bench.driver.ensure_server_absent(nowhere)
        assert list(bench.driver.inventory(nowhere)) == []
        assert bench.level_of(NEAR, kept) == "rw"

    def test_an_absent_export_is_gone(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        for _ in range(2):
            bench.driver.ensure_export_absent(ref(spec))
            assert bench.found() == {}
            assert bench.level_of(NEAR, spec) is None
        # The rules went with it.
        bench.driver.ensure_export(spec)
        assert bench.level_of(NEAR, spec) is None

    def test_there_is_no_export_without_a_server(self, bench: ExportBench) -> None:
        with pytest.raises(Transient):
            bench.driver.ensure_export(bench.spec(place=w.Place(id="nowhere")))

    def test_a_server_that_is_absent_left_nothing(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        for _ in range(2):
            bench.driver.ensure_server_absent(bench.place)
            assert bench.found() == {}
        bench.driver.ensure_server(bench.place)
        assert bench.found() == {}
        assert bench.level_of(NEAR, spec) is None

    def test_a_server_may_be_ensured_at_any_time(self, bench: ExportBench) -> None:
        spec = bench.exported(bench.rule(NEAR))
        before = bench.found()
        bench.driver.ensure_server(bench.place)
        assert bench.found() == before
        assert bench.level_of(NEAR, spec) == "rw"

    # D-I7
    def test_parallel_threads_export_and_admit(self, bench: ExportBench) -> None:
        # An SMB server's user is made by a program of its own: dear.
        each = 5 if bench.by_user else bench.each
        batches = [[bench.spec() for _ in range(each)] for _ in range(8)]

        def work(batch: list[w.ExportSpec]) -> None:
            for spec in batch:
                bench.driver.ensure_export(spec)
                assert bench.allow(spec, [bench.numbered(spec.export_id)[0]]) == [None]

        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(work, batches))
        wanted = {
            spec.instance_id: facts(spec, {bench.numbered(spec.export_id)[1]: "rw"})
            for spec in itertools.chain(*batches)
        }
        assert {key: mark.facts for key, mark in bench.found().items()} == wanted

    def test_the_inventory_can_be_read_while_it_changes(self, bench: ExportBench) -> None:
        kept = bench.exported(bench.rule(NEAR))
        coming = [bench.spec() for _ in range(40)]
        done = threading.Event()

        def change() -> None:
            try:
                for spec in coming:
                    bench.driver.ensure_export(spec)
                    bench.driver.ensure_export_absent(ref(spec))
            finally:
                done.set()

        with ThreadPoolExecutor(1) as pool:
            changing = pool.submit(change)
            while not done.is_set():
                assert bench.found()[kept.instance_id].broken is None
            changing.result()
        assert list(bench.found()) == [kept.instance_id]
