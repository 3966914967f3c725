"""Shares of a filer that knows no tenants, through gateways that pass on what a rule admits (L4).

A gateway is a share server's namespace with a leg on the tenant's network and one on the storage
network. Each share has an address of its own on the tenant's side, and one per access level on
the filer's: the filer's rules name those, and never hear of a client. Nothing else passes.

The files say what may pass; they are written first, then the rules are made from them as a whole.
A level's clients pass only once the filer has agreed to its address, and are cut before it is
asked to withdraw that: a filer that is down delays who comes, never who goes.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from roadstead.drivers.base.filer import FilerControl, FilerExport
from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.export.checks import check_export, check_place
from roadstead.drivers.export.gateway import cut, nft
from roadstead.drivers.export.gateway import rules as rules_text
from roadstead.drivers.export.gateway.files import FlowFiles, StoredFlow, name_of
from roadstead.drivers.export.gateway.view import FilerView, Gateway, attempt, look, marks, state
from roadstead.drivers.host import conntrack
from roadstead.model import world as w
from roadstead.model.admission import Network, admit
from roadstead.model.documented import doc
from roadstead.model.errors import (
    ConfigError,
    Conflict,
    NotFound,
    Transient,
)
from roadstead.model.gateways import GatewayState


class GatewayExport:
    """NFSv4 over TCP, one gateway per place.

    `filer` are the filer's addresses on the storage network, one a family, and `port` its NFS
    port, which is the gateways', too. `control` makes the filer's own rules.
    """

    info = w.ExportInfo(kind="gateway", protocols=("NFS",), gateway="l4")

    class Options(DriverOptions, frozen=True):
        """What a gateway keeps."""

        state_directory: Annotated[str, doc("What each gateway passes on, and for whom")]

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"state_directory": where.state_directory}

    def __init__(
        self,
        options: Options,
        *,
        filer: Sequence[str],
        control: FilerControl,
        port: int = 2049,
    ) -> None:
        self._filer = {6 if ":" in address else 4: address for address in filer}
        if not self._filer or len(self._filer) != len(filer):
            raise ConfigError("a gateway's filer has one address, or one of IPv4 and one of IPv6")
        self._control = control
        self._view = FilerView(control)
        self._directory = Path(options.state_directory).absolute()
        self._port = port
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def ensure_server(self, place: w.Place) -> None:
        """The place passes on exactly what is stored; a connection that no rule admits is cut.
        The filer is not asked. Transient while the storage leg is not there."""
        with self._lock(place):
            self._apply(place)

    def ensure_server_absent(self, place: w.Place) -> None:
        """Neither rules, connections nor files are left, nor what the filer exported through the
        place. Transient, and only the files are left, while the filer does not answer."""
        with self._lock(place):
            files = self._files(place)
            with suppress(nft.Gone):
                nft.inside(place.netns, _tear_down)
            flows = files.all()
        for stored in flows.values():
            self._control.ensure_export_absent(stored.instance_id)
        with self._lock(place):
            files.ensure_absent()

    def stop_all(self) -> None:
        """Nothing ever runs: the kernel goes on passing what it was told to."""

    def ensure_export(self, spec: w.ExportSpec) -> list[w.ExportPath]:
        """The share has its way through the gateway, for whom `ensure_access` admitted before.

        Transient while it has no addresses, or the filer does not answer; Conflict when the
        export id or the share is taken by another, here or on the filer.
        """
        check_export(spec, proto="NFS")
        flow = _flow(spec)
        with self._lock(spec.place):
            before = self._free(spec)
        wanted = StoredFlow(
            export_id=spec.export_id,
            instance_id=spec.instance_id,
            path=spec.path,
            name=self._control.name_of(spec.instance_id, spec.path),
            addresses=flow.addresses,
            sources=flow.sources,
            clients={} if before is None else before.clients,
        )
        granted = self._agree(wanted)
        with self._lock(spec.place):
            self._free(spec)
            self._pass(spec.place, wanted, granted)
        hosts = (f"[{a}]" if ":" in a else a for a in flow.addresses)
        return [w.ExportPath(path=f"{host}:{name_of(wanted)}") for host in hosts]

    def flow_sources(self, instance_id: str) -> Mapping[str, Sequence[str]] | None:
        """As whom the filer has to see the share's clients, by level; None: as we like."""
        return self._control.flow_sources(instance_id)

    def ensure_export_absent(self, ref: w.ExportRef) -> None:
        """Nothing of the share passes any more, and the filer does not export it. Transient while
        the filer does not answer; clients are cut all the same."""
        files = self._files(ref.place)
        with self._lock(ref.place):
            stored = files.find(ref.export_id)
            mine = stored is not None and stored.instance_id == ref.instance_id
            if stored is not None and mine:
                # Kept until the filer has done its part, so that nothing there is forgotten.
                files.write(msgspec.structs.replace(stored, clients={}, granted={}, leaving=True))
                with suppress(nft.Gone):
                    self._apply(ref.place)
        self._control.ensure_export_absent(ref.instance_id)
        if mine:
            with self._lock(ref.place):
                files.remove(ref.export_id)

    def ensure_access(self, ref: w.ExportRef, rules: Sequence[w.RuleSpec]) -> list[w.RuleOutcome]:
        """Exactly the rules without a problem are in force, the most specific first, at the
        gateway and at the filer.

        Who lost a level is cut at once, whatever the filer says. Transient while it does not
        answer: then nobody passes at a level it has not agreed to before.
        """
        with self._lock(ref.place):
            before = self._stored(ref)
            problems = {r.rule_id: p for r in rules if (p := _problem(before, r)) is not None}
            possible = [rule for rule in rules if rule.rule_id not in problems]
            clients, outcomes = admit(possible, refuse=lambda n: _refuse(before, n))
            outcomes += [w.RuleOutcome(rule_id=r, problem=p) for r, p in problems.items()]
            wanted = msgspec.structs.replace(before, clients=clients)
            wants = rules_text.needed(wanted)
            still = {source: v for source, v in before.granted.items() if wants.get(source) == v}
            self._pass(ref.place, wanted, still)
        granted = self._agree(wanted)
        with self._lock(ref.place):
            if self._stored(ref).granted != granted:
                self._pass(ref.place, wanted, granted)
        return outcomes

    def sessions(self, ref: w.ExportRef) -> list[w.Session]:
        """Clients with a connection through the gateway to the share."""
        levels = {rules_text.mark_of(ref.export_id, level) for level in self.info.access_levels}
        found = nft.inside(ref.place.netns, conntrack.connections)
        clients = {c.client for c in found if c.mark in levels and c.established}
        return [w.Session(client=client) for client in sorted(clients)]

    def probe(self, ref: w.ExportRef, *, server: str, source: str) -> w.Attempt:
        """What the rules in force give `source`, which may be anybody's address, and what the
        filer then really answers to the gateway's address for that level."""
        stored = self._files(ref.place).find(ref.export_id)
        return attempt(self._gateway(ref.place), ref, stored, server=server, source=source)

    def inventory(self, place: w.Place) -> Iterator[w.Mark]:
        """Every share that is stored; clients as the kernel has them. Of a filer that does not
        answer nothing is said."""
        files = self._files(place)
        filer = self._view.served(files)
        with self._lock(place):
            found = list(marks(self._gateway(place), files, filer)) if files.all() else []
        yield from found

    def report(self, place: w.Place) -> GatewayState:
        """How the gateway is; the filer's port was really connected to."""
        files, gateway = self._files(place), self._gateway(place)
        with self._lock(place):
            problem, _ = look(gateway, files)
        return state(gateway, files, self._view.served(files), problem)

    # --- inside -------------------------------------------------------------------------------

    def _agree(self, wanted: StoredFlow) -> dict[str, str]:
        """The filer admits whom the flow needs: these. Not in the place's lock: a filer that
        hangs must not keep another share's clients from being cut."""
        needed = rules_text.needed(wanted)
        self._control.ensure_export(
            FilerExport(
                instance_id=wanted.instance_id,
                export_id=wanted.export_id,
                path=wanted.path,
                name=name_of(wanted),
                clients=needed,
            )
        )
        return needed

    def _pass(self, place: w.Place, wanted: StoredFlow, granted: dict[str, str]) -> None:
        """Stored and in force, as far as the filer has agreed."""
        self._files(place).write(msgspec.structs.replace(wanted, granted=granted))
        self._apply(place)

    def _free(self, spec: w.ExportSpec) -> StoredFlow | None:
        """What is stored of the share; Conflict when its number or itself is another's."""
        flows = self._files(spec.place).all()
        for other in flows.values():
            same = other.instance_id == spec.instance_id
            if same != (other.export_id == spec.export_id):
                raise Conflict(f"export {other.export_id} belongs to {other.instance_id}")
        return flows.get(spec.export_id)

    def _apply(self, place: w.Place) -> None:
        """The kernel passes exactly what is stored."""
        files, gateway = self._files(place), self._gateway(place)
        flows = files.all()

        def load() -> None:
            nft.ensure_loaded(files, gateway.text(flows.values()))
            cut.cut_strangers(flows)

        nft.inside(place.netns, load)

    def _gateway(self, place: w.Place) -> Gateway:
        return Gateway(place=place, filer=self._filer, port=self._port)

    def _stored(self, ref: w.ExportRef) -> StoredFlow:
        stored = self._files(ref.place).find(ref.export_id)
        if stored is None or stored.instance_id != ref.instance_id or stored.leaving:
            raise NotFound(f"share instance {ref.instance_id} is not exported there")
        return stored

    def _files(self, place: w.Place) -> FlowFiles:
        check_place(place)
        return FlowFiles(self._directory / place.id)

    def _lock(self, place: w.Place) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(place.id, threading.RLock())


def _tear_down() -> None:
    nft.ensure_absent()
    conntrack.forget(conntrack.connections())


def _flow(spec: w.ExportSpec) -> w.Flow:
    flow = spec.place.flows.get(spec.instance_id)
    if flow is None or not flow.addresses:
        raise Transient("the share has no address at its gateway yet")
    return flow


def _refuse(flow: StoredFlow, network: Network) -> str | None:
    """Why nobody of the network can come; None when they can."""
    if any(rules_text.source_of(flow, level, network.version) for level in flow.sources):
        return None
    return f"the gateway and the filer have no IPv{network.version} address in common"


def _problem(flow: StoredFlow, rule: w.RuleSpec) -> str | None:
    """Why nobody can come at the rule's level; None when somebody can, or it is no level."""
    if flow.sources.get(rule.access_level, ("unknown",)):
        return None
    return f"the filer's administrator admits nobody to this export at level {rule.access_level}"
