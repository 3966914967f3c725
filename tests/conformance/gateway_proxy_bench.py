"""Real proxy gateways between a tenant's network and a filer's: one namespace per share.

client (10.9.0.11 …) ─ segment ─ gateway 1, 2, … ─ storage network ─ filer
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from roadstead.conformance.exports import NEAR, ref
from roadstead.drivers.export.gateway_proxy.driver import ProxyExport
from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.model import world as w
from roadstead.model.ids import new_id, place_netns, pseudo_path
from tests.conformance.ganesha_bench import CONTENT, level_in, refused
from tests.conformance.gateway_bench import (
    FILER,
    FILER6,
    STORAGE_LEG,
    TENANT_LEG,
    GatewayLab,
    add_address,
)
from tests.lab.netns import add_netns, in_thread, remove_netns
from tests.lab.nfs4 import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roadstead.drivers.base.filer import FilerControl

PREFIX = "/filer/tenants"


class ProxyLab(GatewayLab):
    """The networks and the filer; nothing is left of them, nor of the gateways."""

    lease_seconds = 60  # a shorter one ends while the filer hangs; of 5 seconds it never sleeps

    def _make(self, undo: contextlib.ExitStack) -> None:
        super()._make(undo)
        undo.callback(lambda: self.proxy().stop_all())  # the message bus of all gateways

    def proxy(
        self,
        control: FilerControl | None = None,
        *,
        filer: Sequence[str] = (FILER, FILER6),
        prefix: str = PREFIX,
    ) -> ProxyExport:
        """A driver as a newly started agent makes it; all of one lab share one state."""
        return ProxyExport(
            ProxyExport.Options(
                state_directory=str(self.root / "proxies"),
                run_directory=str(self.root / "run"),
                filer_prefix=prefix,
                grace=False,
            ),
            filer=filer,
            control=control or self.control(),
        )

    def control(self) -> GaneshaFiler:
        """The filer's rules, as somebody else sees them, too."""
        return GaneshaFiler(GaneshaFiler.Options(**self.filer.control_options))

    @contextlib.contextmanager
    def place(self, *, six: bool = False) -> Iterator[w.Place]:
        """Where a gateway can be; `six`: the tenant's side has addresses of both families."""
        number = next(self._numbers)
        place_id = new_id()
        place = w.Place(
            id=place_id,
            netns=place_netns(place_id),
            addresses=(f"10.9.3.{number}", *([f"fd00:9::3:{number:x}"] if six else [])),
            storage=(f"172.30.60.{number}", f"fd00:30::60:{number:x}"),
        )
        assert place.netns is not None
        add_netns(place.netns)
        try:
            self._leg(self.segment, place.netns, TENANT_LEG)
            self._leg(self.storage, place.netns, STORAGE_LEG)
            for leg, addresses in ((TENANT_LEG, place.addresses), (STORAGE_LEG, place.storage)):
                for address in addresses:
                    add_address(place.netns, leg, address)
            yield place
        finally:
            remove_netns(place.netns)

    @contextlib.contextmanager
    def serving(self, driver: ProxyExport, *, six: bool = False) -> Iterator[w.ExportSpec]:
        """A gateway that serves a new share with one file to nobody yet."""
        with self.place(six=six) as place:
            driver.ensure_server(place)
            spec = self.spec(place)
            try:
                driver.ensure_export(spec)
                yield spec
            finally:
                if not self.filer.runs:
                    self.filer.start()
                driver.ensure_server_absent(place)

    def spec(self, place: w.Place, export_id: int = 7) -> w.ExportSpec:
        """A share on the filer."""
        instance_id = new_id()
        path = Path(share_path(self.make_path(), instance_id))
        path.mkdir(parents=True)
        (path / "file").write_bytes(CONTENT)
        return w.ExportSpec(
            instance_id=instance_id,
            export_id=export_id,
            path=str(path),
            proto="NFS",
            place=place,
        )

    def at(self, spec: w.ExportSpec, source: str = NEAR, *, timeout: float = 10) -> Client:
        """A client with this address, connected to the share's gateway."""
        server = next(a for a in spec.place.addresses if (":" in a) == (":" in source))
        return Client(server, source=source, netns=self.clients, timeout=timeout)

    def level(self, spec: w.ExportSpec, source: str = NEAR) -> str | None:
        """At which level this address gets at the share: really tried, by writing."""
        with self.at(spec, source) as client:
            with refused("NOENT") as denial:
                share = client.lookup(pseudo_path(spec.instance_id))
            if denial:
                return None
            return level_in(client, share)

    def connects(self, netns: str, address: str, port: int) -> bool:
        """Somebody takes a TCP connection from there."""

        def call() -> bool:
            try:
                with socket.create_connection((address, port), timeout=1):
                    return True
            except OSError:
                return False

        return in_thread(netns, call)

    def at_filer(self, spec: w.ExportSpec) -> dict[str, str] | None:
        """Whom the filer really admits to the share; None: not exported there."""
        return self.filer.clients().get(PREFIX + pseudo_path(spec.instance_id))


__all__ = ["FILER", "FILER6", "PREFIX", "ProxyLab", "ref"]


def own(spec: w.ExportSpec) -> str:
    """As whom the filer sees the share's gateway."""
    return spec.place.storage[0]


def broken(driver: ProxyExport, spec: w.ExportSpec) -> str | None:
    """What is wrong with the share, as its gateway's inventory has it."""
    (mark,) = driver.inventory(spec.place)
    return mark.broken


def driver_pid(driver: ProxyExport, place: w.Place) -> int:
    """The gateway's server process, which runs."""
    return driver._ganesha.pid(place)  # type: ignore[return-value]
