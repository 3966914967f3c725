"""The filer suite on our own controls."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.filers import ONE, SIX, STRANGER, TWO, FilerBench, FilerConformance
from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.drivers.filer.hook import HookFiler
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.model.errors import Transient
from tests.conformance.ganesha_bench import refused
from tests.lab.filer import LegacyFiler
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.nfs4 import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadstead.drivers.base.filer import FilerExport

FILER, FILER6, ADMIN = "172.30.0.2", "fd00:30::2", "172.30.0.1"
HOOK = Path(__file__).with_name("filer_hook.py")


class TestMemoryFiler(FilerConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> FilerBench:
        driver = MemoryFiler(MemoryFiler.Options(limits_size=True))

        def level_of(address: str, spec: FilerExport) -> str | None:
            there = driver.exports.get(spec.name)
            return there.clients.get(address) if there else None

        def make_silent() -> None:
            for method in ("ensure_export", "ensure_export_absent", "inventory"):
                driver.fail[method] = Transient("not now")

        return FilerBench(
            driver=driver,
            tree=tmp_path,
            path=str(tmp_path),
            level_of=level_of,
            take_name=lambda name: driver.exports.update({name: None}),
            make_silent=make_silent,
        )


class TestHookFiler(FilerConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> FilerBench:
        state = tmp_path / "state.json"
        state.write_text(json.dumps({"exports": {}, "taken": [], "silent": False}))
        driver = HookFiler(
            HookFiler.Options(program=(sys.executable, str(HOOK), str(state)), limits_size=True)
        )

        def change(**fields: object) -> None:
            state.write_text(json.dumps(json.loads(state.read_text()) | fields))

        def level_of(address: str, spec: FilerExport) -> str | None:
            exports = json.loads(state.read_text())["exports"].values()
            found = [e["clients"] for e in exports if e["name"] == spec.name]
            return found[0].get(address) if found else None

        return FilerBench(
            driver=driver,
            tree=tmp_path / "tree",
            path="/vol with a space/0",
            level_of=level_of,
            take_name=lambda name: change(taken=[name]),
            make_silent=lambda: change(silent=True),
        )


@pytest.fixture(scope="module")
def netns() -> Iterator[str]:
    """A storage network, as far as addresses go."""
    name = f"rs-fil-{secrets.token_hex(3)}"
    add_netns(name)
    for address in (FILER, ADMIN, ONE, TWO, STRANGER):
        ip("addr", "add", f"{address}/32", "dev", "lo", netns=name)
    for address in (FILER6, SIX):
        ip("addr", "add", f"{address}/128", "dev", "lo", "nodad", netns=name)
    yield name
    remove_netns(name)


@pytest.mark.real
class TestGaneshaFiler(FilerConformance):
    @pytest.fixture
    def bench(self, netns: str) -> Iterator[FilerBench]:
        with LegacyFiler(netns, [FILER, FILER6], admin=[ADMIN]) as filer:

            def level_of(address: str, spec: FilerExport) -> str | None:
                server = FILER6 if ":" in address else FILER
                with Client(server, source=address, netns=netns) as client:
                    return level(client, spec)

            yield FilerBench(
                driver=GaneshaFiler(GaneshaFiler.Options(**filer.control_options)),
                tree=filer.tree,
                path=filer.path,
                level_of=level_of,
                take_name=lambda name: filer.export(2, name),
                make_silent=filer.kill,
            )
            # Whatever we did, the administrator's own is served.
            if filer.runs:
                assert filer.clients()["/admin"] == {ADMIN: "rw"}


def level(client: Client, spec: FilerExport) -> str | None:
    """At which level the client gets at the export: really tried, by writing."""
    with refused("NOENT") as denial:
        share = client.lookup(spec.name)
    if denial:
        return None
    assert client.read(client.child(share, "file"), 0, 100) == b"hello\n"
    with refused("ROFS") as denial:
        file = client.open(share, "file", write=True)
        client.write(file, 0, b"hello\n")
        client.close_file(file)
    return "ro" if denial else "rw"
