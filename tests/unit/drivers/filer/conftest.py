"""A storage network with a real filer."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.model import ids
from tests.lab.filer import LegacyFiler
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.nfs4 import Client
from tests.unit.drivers.filer.worlds import ADMIN, FILER, ONE, TWO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def netns() -> Iterator[str]:
    """The filer's and its clients' addresses."""
    name = f"rs-fil-{secrets.token_hex(3)}"
    add_netns(name)
    for address in (FILER, ADMIN, ONE, TWO):
        ip("addr", "add", f"{address}/32", "dev", "lo", netns=name)
    yield name
    remove_netns(name)


@pytest.fixture
def filer(netns: str) -> Iterator[LegacyFiler]:
    with LegacyFiler(netns, [FILER], admin=[ADMIN], grace=False) as filer:
        yield filer


@pytest.fixture
def control(filer: LegacyFiler) -> GaneshaFiler:
    return GaneshaFiler(GaneshaFiler.Options(**filer.control_options))


@pytest.fixture
def client(filer: LegacyFiler) -> Callable[[str], Client]:
    """A session from this address."""
    return lambda address: Client(FILER, source=address, netns=filer.netns)


@pytest.fixture
def wanted(filer: LegacyFiler) -> Callable[..., FilerExport]:
    """An export of a directory that is there, with a file in it."""

    def make(clients: dict[str, str] | None = None, export_id: int = 1) -> FilerExport:
        id_ = ids.new_id()
        directory = filer.tree / "roadstead/shares" / id_
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(b"hello\n")
        return FilerExport(
            instance_id=id_,
            export_id=export_id,
            path=share_path(filer.path, id_),
            name=ids.pseudo_path(id_),
            clients={ONE: "rw"} if clients is None else clients,
        )

    return make
