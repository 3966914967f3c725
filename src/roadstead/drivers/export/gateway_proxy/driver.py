"""Shares of a filer that knows no tenants, through gateways that speak NFS with both sides: an
NFS-Ganesha per share, which is the filer's client (FSAL PROXY_V4) and the tenant's server.

It is sound with one share per gateway only: a forged handle reaches any export of the same
Ganesha, and it cannot choose the address from which the filer is asked. The kernel forwards
nothing. When the filer was started anew such a Ganesha never finds back to it; it is found by
trying, and started anew, too.

Of the order of things: the filer admits the gateway first, then the gateway its clients; in
reverse when somebody goes. A filer that is down delays who comes, never who goes.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec

from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.base.options import Examined
from roadstead.drivers.export.checks import check_export
from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.export.gateway_proxy import guard, view
from roadstead.drivers.export.gateway_proxy.server import Filer, ProxyServers, level, reference
from roadstead.drivers.export.options import GaneshaOptions
from roadstead.drivers.ganesha.conf import StoredExport
from roadstead.drivers.host import process
from roadstead.drivers.host.needs import GANESHA_PLUGINS, Check, plugin, tool
from roadstead.model import gateways as g
from roadstead.model import world as w
from roadstead.model.admission import admit
from roadstead.model.documented import doc
from roadstead.model.errors import (
    ConfigError,
    Conflict,
    NotFound,
    Transient,
)


class ProxyExport:
    """NFSv4.1 and 4.2, one gateway per share.

    `filer` are the filer's addresses on the storage network; the first one of IPv4 is used, or
    else the first. `port` is the filer's NFS port and the gateways'. `control` makes the filer's
    own rules.
    """

    info = w.ExportInfo(kind="gateway-proxy", protocols=("NFS",), gateway="proxy")

    class Options(GaneshaOptions, frozen=True):
        """Of all gateways of the backend."""

        filer_prefix: Annotated[
            str, doc("What the filer's name of a share has before the one its clients know")
        ] = ""

    def __init__(
        self,
        options: Options,
        *,
        filer: Sequence[str],
        control: FilerControl,
        port: int = 2049,
    ) -> None:
        prefix = options.filer_prefix
        if not filer:
            raise ConfigError("a gateway's filer has an address")
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ConfigError(f"filer_prefix: {prefix!r} does not look like /a/directory")
        self._filer = Filer(
            address=next((address for address in filer if ":" not in address), filer[0]),
            port=port,
            prefix=prefix,
            control=control,
        )
        self._ganesha = GaneshaExport(
            GaneshaExport.Options(
                state_directory=options.state_directory,
                run_directory=options.run_directory,
                grace=options.grace,
                lease_seconds=options.lease_seconds,
                port=port,
            ),
            passes_on=self._filer.behind,
            before_start=lambda place: guard.let_connect(place, port),
        )
        self._servers = ProxyServers(self._filer, self._ganesha)

    @classmethod
    def doctor(cls, options: Options, examined: Examined) -> Iterator[Check]:
        """NFS-Ganesha is there, with what makes it a filer's client."""
        yield tool(examined.road, "ganesha.nfsd", ["-v"], "apt install nfs-ganesha")
        yield plugin(examined.road, GANESHA_PLUGINS, "proxy_v4")

    def ensure_server(self, place: w.Place) -> None:
        """The place's server runs and serves what is stored; it was started anew if it could not
        get at the filer any more. Transient while it does not run and the filer does not answer."""
        health, detail = self._servers.revive(place)
        if self._ganesha.pid(place) is None:
            raise Transient(f"the gateway does not run; {health}: {detail}")

    def ensure_server_absent(self, place: w.Place) -> None:
        """Neither process, rules nor files are left, nor what the filer exported to the place.
        Transient, and only the files are left, while the filer does not answer."""
        with self._servers.lock(place):
            self._ganesha.ensure_stopped(place)
            for stored in self._ganesha.stored(place).values():
                self._filer.control.ensure_export_absent(stored.instance_id)
            self._ganesha.ensure_server_absent(place)
            with suppress(guard.Gone):
                guard.ensure_absent(place)

    def stop_all(self) -> None:
        """No server of this driver runs; everything stored is kept."""
        self._ganesha.stop_all()

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share is served, to whom `ensure_access` admitted before.

        Conflict when the gateway has another share, or the export id or the name on the filer is
        another's; Transient while there is no server, or the filer does not answer.
        """
        check_export(spec, proto="NFS")
        with self._servers.lock(spec.place):
            if not self._ganesha.has_server(spec.place):
                raise Transient("there is no gateway yet")
            for other in self._ganesha.stored(spec.place).values():
                if other.instance_id != spec.instance_id:
                    raise Conflict(f"the gateway is share instance {other.instance_id}'s alone")
            before = self._servers.stored(spec.place, spec.instance_id)
            clients = {} if before is None else before.clients
            if before is not None and self._filer.has_moved(before):
                self._withdraw(reference(spec.place, before))
                self._ganesha.ensure_server(spec.place)
                before = None
            if before is None:
                guard.let_connect(spec.place, self._filer.port)
            self._filer.agree(spec, spec.path, clients)
            found = self._ganesha.ensure_export(spec)
            if before is None and clients:
                self._ganesha.ensure_access(
                    w.ExportRef(
                        instance_id=spec.instance_id, export_id=spec.export_id, place=spec.place
                    ),
                    [_rule(target, at) for target, at in clients.items()],
                )
            self._servers.count(spec.place)
        return found

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Not served, not stored, and not exported by the filer. Transient while that does not
        answer; clients are cut all the same."""
        with self._servers.lock(ref.place):
            stored = self._servers.stored(ref.place, ref.instance_id)
            mine = stored is not None and stored.export_id == ref.export_id
            if mine:
                with suppress(Transient):
                    self._ganesha.ensure_access(ref, [])
            self._filer.control.ensure_export_absent(ref.instance_id)
            if mine:
                self._withdraw(ref)
                with suppress(Transient):
                    self._servers.revive(ref.place)

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly the rules without a problem are in force, the most specific first, at the
        gateway and at the filer.

        Who lost a level is cut at once, whatever the filer says. Transient while it does not
        answer: then nobody writes whom it did not let write before.
        """
        with self._servers.lock(ref.place):
            before = self._servers.stored(ref.place, ref.instance_id)
            if before is None or before.export_id != ref.export_id:
                raise NotFound(f"share instance {ref.instance_id} is not exported there")
            clients, _ = admit(rules)
            if level(clients) == "rw" and level(before.clients) != "rw":
                self._ganesha.ensure_access(ref, [_read_only(rule) for rule in rules])
                self._filer.agree(ref, before.path, clients)
                return self._ganesha.ensure_access(ref, rules)
            outcomes = self._ganesha.ensure_access(ref, rules)
            self._filer.agree(ref, before.path, clients)
        return outcomes

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """Clients that were active within the last two leases and that the export admits."""
        found = self._ganesha.sessions(ref)
        return [session for session in found if session.client not in ref.place.addresses]

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """A real NFSv4.1 client has tried, from inside the place's network namespace. Of the
        gateway's own addresses, each is admitted to read."""
        return self._ganesha.probe(ref, server=server, source=source)

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every share that is stored or served; whether its server gets at the filer was tried.
        Of a filer that does not answer nothing is said."""
        with self._servers.lock(place):
            found = list(self._ganesha.inventory(place))
            stored, pid = self._ganesha.stored(place), self._ganesha.pid(place)
        exports = view.exported(self._filer.control) if found else None
        for mark in found:
            export = next((s for s in stored.values() if s.instance_id == mark.id), None)
            faults = [mark.broken]
            if export is not None:
                faults += self._faults(place, export, pid, exports)
            broken = "; ".join(fault for fault in faults if fault) or None
            yield msgspec.structs.replace(view.without_own(mark, place), broken=broken)

    def report(self, place: w.Place) -> g.GatewayState:
        """How the gateway is. It is looked after, too: this is asked more often than a sweep
        comes, and clients of a dead one wait.

        Sessions are clients that were active within two leases; bytes are the packets', from the
        server's last start on.
        """
        health, detail = self._servers.revive(place, anew=False)
        refs = [reference(place, stored) for stored in self._ganesha.stored(place).values()]
        pid = self._ganesha.pid(place)
        received, sent = guard.bytes_passed(place)
        return g.GatewayState(
            health=health if pid is not None or health == g.UNREACHABLE else g.BROKEN,
            detail=detail,
            sessions=sum(len(self.sessions(ref)) for ref in refs) if pid is not None else 0,
            bytes_in=received,
            bytes_out=sent,
            started_at=None if pid is None else process.started_at(pid),
        )

    def _withdraw(self, ref: w.ExportRef) -> None:
        """Neither stored nor served. The server does not run: asked to withdraw an export, it would
        hang for a minute."""
        self._ganesha.ensure_stopped(ref.place)
        self._ganesha.ensure_export_absent(ref)

    def _faults(
        self, place: w.Place, stored: StoredExport, pid: int | None, exports: view.Exports
    ) -> list[str | None]:
        """What is wrong on the way to the filer, and there."""
        health, detail = view.look(place, stored, pid)
        return [
            detail if health == g.BROKEN else None,
            "the filer was another one" if self._filer.has_moved(stored) else None,
            view.filer_fault(stored, exports, self._filer.needed(place, stored.clients)),
        ]


def _rule(target: str, at: str) -> w.RuleSpec:
    return w.RuleSpec(rule_id=target, access_type="ip", access_to=target, access_level=at)


def _read_only(rule: w.RuleSpec) -> w.RuleSpec:
    at = "ro" if rule.access_level == "rw" else rule.access_level
    return msgspec.structs.replace(rule, access_level=at)
