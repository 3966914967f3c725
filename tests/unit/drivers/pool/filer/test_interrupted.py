"""Agents killed in the middle: every state they leave is put right by the next start and retry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.model import world as w
from tests.unit.drivers.pool.filers import (
    GIB,
    assert_exactly,
    directory,
    fill,
    restarted,
    spec,
)
from tests.unit.drivers.pool.killing import killed_at

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.crash, pytest.mark.real]


def create(pool: FilerPool, wanted: w.ShareSpec) -> set[str]:
    pool.ensure_share(wanted)
    return {wanted.instance_id}


def delete(pool: FilerPool, wanted: w.ShareSpec) -> set[str]:
    pool.ensure_share_absent(wanted.instance_id)
    return set()


def set_aside(pool: FilerPool, wanted: w.ShareSpec) -> set[str]:
    """And back."""
    assert pool.ensure_share_aside(wanted.instance_id) is not None
    assert [mark.kind for mark in pool.inventory()] == ["trash"]
    share = pool.ensure_share(wanted)
    assert sorted(os.listdir(directory(pool, share)))
    return {wanted.instance_id}


def empty_trash(pool: FilerPool, wanted: w.ShareSpec) -> set[str]:
    pool.ensure_share_aside(wanted.instance_id)
    pool.ensure_trash_absent(wanted.instance_id)
    return set()


def resize(pool: FilerPool, wanted: w.ShareSpec) -> set[str]:
    assert pool.ensure_size(wanted.instance_id, 2 * GIB).size_bytes == 2 * GIB
    return {wanted.instance_id}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "operation", [create, delete, set_aside, empty_trash, resize], ids=lambda o: o.__name__
)
def test_killed_at_every_step(
    filer_pool: FilerPool,
    control: MemoryFiler,
    tmp_path: Path,
    operation: Callable[[FilerPool, w.ShareSpec], set[str]],
) -> None:
    for step in range(1, 300):
        wanted = spec()
        if operation is not create:
            share = filer_pool.ensure_share(wanted)
            fill(directory(filer_pool, share), tmp_path)
        killed = killed_at(step, lambda wanted=wanted: _ignored(operation(filer_pool, wanted)))
        successor = restarted(filer_pool, control)
        assert [mark.kind for mark in successor.inventory()] in ([], ["share"], ["trash"])
        assert_exactly(successor, operation(successor, wanted))
        successor.ensure_share_absent(wanted.instance_id)
        assert_exactly(successor, set())
        if not killed:
            break
    assert not killed
    assert step > 4


def _ignored(_: object) -> None:
    pass


@pytest.mark.parametrize("operation", [create, resize], ids=lambda o: o.__name__)
def test_killed_and_never_called_again(
    filer_pool: FilerPool,
    control: MemoryFiler,
    operation: Callable[[FilerPool, w.ShareSpec], set[str]],
) -> None:
    """What a killed agent left is a whole share or nothing: the next start sees to it."""
    for step in range(1, 100):
        wanted = spec()
        if operation is not create:
            filer_pool.ensure_share(wanted)
        killed = killed_at(step, lambda wanted=wanted: _ignored(operation(filer_pool, wanted)))
        successor = restarted(filer_pool, control)
        found = {mark.id for mark in successor.inventory()}
        assert found in (set(), {wanted.instance_id})
        assert_exactly(successor, found)
        successor.ensure_share_absent(wanted.instance_id)
        if not killed:
            break
    assert not killed
