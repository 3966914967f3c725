"""Exports of the administrator's: whose they are is never forgotten, and never guessed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.base.options import Where
from roadstead.drivers.filer.fixed import FixedFiler
from roadstead.drivers.pool.filer.fixed import FixedFilerPool
from roadstead.drivers.registry import Choice, make_filer
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import ConfigError, Conflict, DriverError, NotFound, Unsupported
from tests.unit.drivers.pool.killing import killed_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

GIB = 1 << 30
EXPORTS: list[dict[str, Any]] = [
    {"path": "/vol/big", "name": "/big", "size_gib": 100, "rw": ["172.30.0.41"]},
    {
        "path": "/vol/a",
        "name": "/a",
        "size_gib": 10,
        "rw": ["172.30.0.42", "fd00::42"],
        "ro": ["172.30.0.43"],
    },
    {"path": "/vol/b", "name": "/b", "size_gib": 10, "ro": ["172.30.0.44"]},
]


def filer(directory: Path, exports: Sequence[Mapping[str, Any]] = EXPORTS) -> FixedFiler:
    """As the configuration's tables make it."""
    where = Where(name="nas", state_directory=str(directory), run_directory="", owner="")
    choice = Choice(
        axis="filers",
        driver="fixed",
        key="control",
        options_key="control_options",
        given={"exports": exports, "state_directory": str(directory / "fixed")},
        where=where,
    )
    made = make_filer(choice)
    assert isinstance(made, FixedFiler)
    return made


def pool(directory: Path) -> FixedFilerPool:
    return FixedFilerPool(FixedFilerPool.Options(), name="test", control=filer(directory))


def spec(gib: int) -> w.ShareSpec:
    return w.ShareSpec(instance_id=ids.new_id(), size_bytes=gib * GIB)


def test_each_share_gets_the_smallest_that_fits(tmp_path: Path) -> None:
    made = [pool(tmp_path).ensure_share(spec(size)) for size in (5, 5, 5)]
    assert [share.path for share in made] == ["/vol/a", "/vol/b", "/vol/big"]
    with pytest.raises(DriverError) as full:
        pool(tmp_path).ensure_share(spec(1))
    assert full.value.detail_id == "009"


def test_a_share_keeps_its_own(tmp_path: Path) -> None:
    wanted = spec(5)
    share = pool(tmp_path).ensure_share(wanted)
    assert pool(tmp_path).ensure_share(wanted) == share
    assert pool(tmp_path).find_share(wanted.instance_id) == share
    with pytest.raises(Conflict):
        pool(tmp_path).ensure_share(w.ShareSpec(instance_id=wanted.instance_id, size_bytes=GIB))


# What one tenant left is never handed to another
def test_a_used_one_is_not_handed_out_before_it_was_freed(tmp_path: Path) -> None:
    used = pool(tmp_path).ensure_share(spec(50))
    for _ in range(2):
        pool(tmp_path).ensure_share_absent(used.instance_id)
    assert pool(tmp_path).find_share(used.instance_id) is None
    assert list(pool(tmp_path).inventory()) == []
    with pytest.raises(DriverError):
        pool(tmp_path).ensure_share(spec(50))
    assert pool(tmp_path).stats().free == 20 * GIB
    (tmp_path / "fixed/%2Fvol%2Fbig.json").unlink()
    assert pool(tmp_path).ensure_share(spec(50)).path == "/vol/big"


def test_not_even_to_the_same_share(tmp_path: Path) -> None:
    wanted = spec(5)
    first = pool(tmp_path).ensure_share(wanted)
    pool(tmp_path).ensure_share_absent(wanted.instance_id)
    assert pool(tmp_path).ensure_share(wanted).path != first.path


def test_sizes(tmp_path: Path) -> None:
    share = pool(tmp_path).ensure_share(spec(5))
    assert not pool(tmp_path).info.enforces_size
    for size in (10, 1):
        assert pool(tmp_path).ensure_size(share.instance_id, size * GIB).size_bytes == size * GIB
    with pytest.raises(Unsupported):
        pool(tmp_path).ensure_size(share.instance_id, 11 * GIB)
    with pytest.raises(NotFound):
        pool(tmp_path).ensure_size(ids.new_id(), GIB)


def test_the_gateways_addresses_are_the_administrators(tmp_path: Path) -> None:
    share = pool(tmp_path).ensure_share(spec(5))
    control = filer(tmp_path)
    assert control.name_of(share.instance_id) == "/a"
    assert control.flow_sources(share.instance_id) == {
        "rw": ("172.30.0.42", "fd00::42"),
        "ro": ("172.30.0.43",),
    }
    with pytest.raises(NotFound):
        control.flow_sources(ids.new_id())


def wanted_export(share: w.ShareOnDisk, clients: dict[str, str], name: str = "/a") -> FilerExport:
    return FilerExport(
        instance_id=share.instance_id, export_id=5, path=share.path, name=name, clients=clients
    )


def test_only_what_the_administrator_admits_can_be_asked_for(tmp_path: Path) -> None:
    share = pool(tmp_path).ensure_share(spec(5))
    control = filer(tmp_path)
    control.ensure_export(wanted_export(share, {"172.30.0.42": "rw"}))
    for bad in ({"172.30.0.41": "rw"}, {"172.30.0.42": "ro"}):
        with pytest.raises(DriverError):
            control.ensure_export(wanted_export(share, bad))
    with pytest.raises(Unsupported):
        control.ensure_export(wanted_export(share, {}, name="/share"))
    (mark,) = filer(tmp_path).inventory()
    assert mark.id == share.instance_id
    assert mark.facts == {
        "export_id": 5,
        "path": "/vol/a",
        "name": "/a",
        "clients": {"172.30.0.42": "rw"},
    }
    for _ in range(2):
        control.ensure_export_absent(share.instance_id)
        assert list(filer(tmp_path).inventory()) == []
    assert pool(tmp_path).find_share(share.instance_id) == share


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "/vol/big"}, "path"),
        ({"rw": ["172.30.0.41"]}, "address"),
        ({"colour": "red"}, "colour"),
        ({"size_gib": "much"}, "size_gib"),
    ],
)
def test_a_wrong_description(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        filer(tmp_path, [EXPORTS[0], EXPORTS[1] | change])


def test_a_damaged_file_frees_nothing(tmp_path: Path) -> None:
    share = pool(tmp_path).ensure_share(spec(5))
    (tmp_path / "fixed/%2Fvol%2Fa.json").write_text("{")
    with pytest.raises(DriverError, match="damaged"):
        pool(tmp_path).ensure_pool()
    with pytest.raises(DriverError, match="damaged"):
        pool(tmp_path).ensure_share(spec(5))
    with pytest.raises(DriverError, match="damaged"):
        pool(tmp_path).ensure_share_absent(share.instance_id)


def test_killed_at_every_step(tmp_path: Path) -> None:
    """An export is one share's, or nobody's; never two's."""
    for step in range(1, 50):
        wanted, directory = spec(5), tmp_path / str(step)
        killed = killed_at(
            step, lambda wanted=wanted, at=directory: pool(at).ensure_share(wanted) and None
        )
        share = pool(directory).ensure_share(wanted)
        other = pool(directory).ensure_share(spec(5))
        assert {share.path, other.path} == {"/vol/a", "/vol/b"}
        assert len(os.listdir(directory / "fixed")) == 2
        if not killed:
            break
    assert not killed
    assert step > 2
