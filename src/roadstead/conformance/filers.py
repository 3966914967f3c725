"""What every filer control must do: `roadstead.drivers.base.filer.FilerControl` as tests.

To try one of your own, in a test file of your own package:

    class TestMyFiler(FilerConformance):
        @pytest.fixture
        def bench(self):
            return FilerBench(driver=MyFiler(...), tree=..., path=..., level_of=..., take_name=...)

The filer serves nothing of ours at the start of each test.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.filer.paths import share_path
from roadstead.model import ids
from roadstead.model.errors import BadRequest, Conflict, DriverError, Transient, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from roadstead.drivers.base.filer import FilerControl
    from roadstead.model import world as w

# Gateways' addresses on the storage network, and one that no rule ever names.
ONE, TWO, SIX, STRANGER = "172.30.0.21", "172.30.0.31", "fd00:30::21", "172.30.0.99"


@dataclass
class FilerBench:
    """A control and its filer; `tree` is the filer's directory `path` as the tests see it."""

    driver: FilerControl
    tree: Path
    path: str
    level_of: Callable[[str, FilerExport], str | None]  # what an address really gets
    take_name: Callable[[str], None]  # the administrator exports something by this name
    make_silent: Callable[[], None]  # the filer does not answer any more
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def spec(self, clients: dict[str, str] | None = None, **fields: object) -> FilerExport:
        """An export wanted, of a directory that is there."""
        id_ = str(fields.pop("instance_id", "")) or ids.new_id()
        inside = Path(share_path(str(self.tree), id_))
        inside.mkdir(parents=True, exist_ok=True)
        (inside / "file").write_bytes(b"hello\n")
        values: dict[str, object] = {
            "instance_id": id_,
            "export_id": next(self.numbers),
            "path": share_path(self.path, id_),
            "name": ids.pseudo_path(id_),
            "clients": clients or {},
        }
        return msgspec.convert(values | fields, FilerExport)

    def exported(self, clients: dict[str, str] | None = None) -> FilerExport:
        """A new export."""
        spec = self.spec(clients)
        self.driver.ensure_export(spec)
        return spec

    def levels(self, spec: FilerExport) -> list[str | None]:
        """What ONE, TWO, SIX and STRANGER really get."""
        return [self.level_of(address, spec) for address in (ONE, TWO, SIX, STRANGER)]

    def found(self) -> dict[str, w.Mark]:
        """The inventory by share instance; fails when one is listed twice."""
        marks = list(self.driver.inventory())
        assert {mark.kind for mark in marks} <= {"export"}
        assert len({mark.id for mark in marks}) == len(marks)
        return {mark.id: mark for mark in marks}


def changed(spec: FilerExport, clients: dict[str, str]) -> FilerExport:
    """The same export, to others."""
    return msgspec.structs.replace(spec, clients=clients)


class FilerConformance:
    """Inherit, and override the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> Iterable[FilerBench]:
        raise NotImplementedError("override this fixture with one that yields a bench")

    # G-I1: nobody but who is named
    def test_exactly_the_clients_are_admitted(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "rw", TWO: "ro"})
        assert bench.levels(spec) == ["rw", "ro", None, None]

    def test_addresses_of_both_families(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "ro", SIX: "rw"})
        assert bench.levels(spec) == ["ro", None, "rw", None]

    def test_an_export_to_nobody(self, bench: FilerBench) -> None:
        spec = bench.exported()
        assert bench.levels(spec) == [None] * 4
        assert bench.found()[spec.instance_id].facts["clients"] == {}

    def test_again_is_the_same(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "rw"})
        before = bench.found()
        bench.driver.ensure_export(spec)
        assert bench.found() == before
        assert bench.levels(spec) == ["rw", None, None, None]

    def test_clients_change(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "rw"})
        for clients, levels in (
            ({ONE: "ro", TWO: "rw"}, ["ro", "rw", None, None]),
            ({TWO: "rw"}, [None, "rw", None, None]),
            ({ONE: "rw", TWO: "ro", SIX: "ro"}, ["rw", "ro", "ro", None]),
            ({}, [None] * 4),
        ):
            bench.driver.ensure_export(changed(spec, clients))
            assert bench.levels(spec) == levels
            assert bench.found()[spec.instance_id].facts["clients"] == clients

    def test_shares_do_not_meet(self, bench: FilerBench) -> None:
        mine, theirs = bench.exported({ONE: "rw"}), bench.exported({TWO: "rw"})
        assert bench.levels(mine) == ["rw", None, None, None]
        assert bench.levels(theirs) == [None, "rw", None, None]
        bench.driver.ensure_export_absent(mine.instance_id)
        assert bench.levels(mine) == [None] * 4
        assert bench.levels(theirs) == [None, "rw", None, None]

    def test_two_may_ask_for_one_number(self, bench: FilerBench) -> None:
        """Export ids are unique on one gateway, and a filer has many."""
        first = bench.exported({ONE: "rw"})
        second = bench.spec({TWO: "rw"}, export_id=first.export_id)
        bench.driver.ensure_export(second)
        assert bench.levels(first) == ["rw", None, None, None]
        assert bench.levels(second) == [None, "rw", None, None]
        assert {m.facts["export_id"] for m in bench.found().values()} == {first.export_id}

    def test_absent_twice_and_unknown(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "rw"})
        for _ in range(2):
            bench.driver.ensure_export_absent(spec.instance_id)
            assert not bench.found()
        bench.driver.ensure_export_absent(ids.new_id())
        bench.driver.ensure_export(spec)
        assert bench.levels(spec) == ["rw", None, None, None]

    def test_somebody_elses_name_conflicts_and_stays_theirs(self, bench: FilerBench) -> None:
        spec = bench.spec({ONE: "rw"})
        bench.take_name(spec.name)
        with pytest.raises(Conflict):
            bench.driver.ensure_export(spec)
        assert not bench.found()
        bench.driver.ensure_export_absent(spec.instance_id)
        with pytest.raises(Conflict):
            bench.driver.ensure_export(spec)

    def test_two_shares_cannot_have_one_name(self, bench: FilerBench) -> None:
        first = bench.exported({ONE: "rw"})
        second = bench.spec({TWO: "rw"}, name=first.name)
        with pytest.raises(Conflict):
            bench.driver.ensure_export(second)
        assert bench.levels(first) == ["rw", None, None, None]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"clients": {"0.0.0.0/0": "rw"}},
            {"clients": {"*": "rw"}},
            {"clients": {"": "rw"}},
            {"clients": {"filer.example": "rw"}},
            {"clients": {"10.0.0.1; Access_Type = RW": "rw"}},
            {"clients": {"fe80::1%eth0": "rw"}},
            {"clients": {ONE: "admin"}},
            {"path": "relative"},
            {"path": "/a/../etc"},
            {"path": '/a"; Access_Type = RW; #'},
            {"path": "/a\nb"},
            {"name": "/a\n#"},
            {"name": "name"},
            {"export_id": 0},
            {"export_id": 65536},
            {"instance_id": "x"},
        ],
        ids=str,
    )
    def test_what_is_no_export_is_refused(
        self, bench: FilerBench, wrong: dict[str, object]
    ) -> None:
        good = bench.exported({ONE: "rw"})
        bad = msgspec.structs.replace(bench.spec(), **wrong)
        with pytest.raises((DriverError, BadRequest)):
            bench.driver.ensure_export(bad)
        assert list(bench.found()) == [good.instance_id]
        assert bench.levels(good) == ["rw", None, None, None]

    def test_inventory_tells_all(self, bench: FilerBench) -> None:
        assert not bench.found()
        specs = {s.instance_id: s for s in (bench.exported({ONE: "rw"}), bench.exported())}
        found = bench.found()
        assert set(found) == set(specs)
        for id_, mark in found.items():
            spec = specs[id_]
            assert mark.broken is None
            assert mark.facts == {
                "export_id": spec.export_id,
                "path": spec.path,
                "name": spec.name,
                "clients": spec.clients,
            }

    def test_a_silent_filer_is_transient(self, bench: FilerBench) -> None:
        spec = bench.exported({ONE: "rw"})
        bench.make_silent()
        with pytest.raises(Transient):
            bench.driver.ensure_export(changed(spec, {TWO: "rw"}))
        with pytest.raises(Transient):
            bench.driver.ensure_export_absent(spec.instance_id)
        with pytest.raises(Transient):
            bench.found()

    def test_many_at_once(self, bench: FilerBench) -> None:
        specs = [bench.spec({ONE: "rw"}) for _ in range(8)]
        errors: list[BaseException] = []

        def work(spec: FilerExport) -> None:
            try:
                bench.driver.ensure_export(spec)
                bench.driver.ensure_export(changed(spec, {TWO: "rw"}))
                if spec is not specs[0]:
                    bench.driver.ensure_export_absent(spec.instance_id)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(spec,)) for spec in specs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert list(bench.found()) == [specs[0].instance_id]
        assert bench.levels(specs[0]) == [None, "rw", None, None]

    def test_sizes(self, bench: FilerBench) -> None:
        spec = bench.exported()
        if not bench.driver.info.limits_size:
            with pytest.raises(Unsupported):
                bench.driver.ensure_size(spec.path, 1 << 30)
            return
        for _ in range(2):
            bench.driver.ensure_size(spec.path, 1 << 30)
        with pytest.raises(DriverError) as refused:
            bench.driver.ensure_size(spec.path, 1)
        assert refused.value.detail_id == "018"
