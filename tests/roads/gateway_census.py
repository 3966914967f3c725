"""Everything that gateways leave in this world, and how it differs from the database: seen with
the tests' own eyes (`ip`, `nft`, the filer's message bus, the files)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from roadstead.drivers.export.gateway.rules import mark_of
from roadstead.drivers.host import conntrack, netlink
from roadstead.drivers.network.marks import Marks
from roadstead.model.ids import place_netns
from tests.differences import differences
from tests.lab.links import address_texts, find_link
from tests.lab.netns import NETNS_DIRECTORY, in_thread
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.roads.gateway import GatewayRoad
    from tests.roads.network import Tenant

Row = dict[str, Any]
_IN_FORCE = ("active",)
_ALL = {
    "share_servers": "SELECT * FROM share_servers",
    "share_instances": "SELECT * FROM share_instances",
    "access_rules": "SELECT * FROM access_rules",
    "address_leases": "SELECT * FROM address_leases",
    "flow_leases": "SELECT * FROM flow_leases",
}


class GatewayCensus:
    """Of one live service with a filer."""

    def __init__(self, road: GatewayRoad) -> None:
        self._road = road

    def everything(self) -> set[str]:
        """All there is, each by kind and name: equal before and after when nothing leaked."""
        return set(self._everything())

    def differences(self) -> list[str]:
        """What is not as the database says; [] when everything is."""
        found: list[str] = []
        instances = [i for i in self._rows("share_instances") if i["status"] == "available"]
        for server in self._rows("share_servers"):
            if server["status"] == "active":
                mine = [i for i in instances if i["share_server_id"] == server["id"]]
                found += self._at_gateway(server["id"], mine)
        found += differences("directory", self._shares(), {i["id"] for i in instances})
        exported = {f"/share-{i['id']}": self._sources(i) for i in instances}
        found += differences("export", self._exported(), exported)
        return found

    def wait_agreed(self) -> None:
        """Everything is as the database says."""
        until(lambda: not self.differences(), "all is as the database says", why=self.differences)

    def passing(self) -> dict[str, list[str]]:
        """Who may pass to each share, by instance, as the gateways' kernels have it."""
        found: dict[str, list[str]] = {}
        for instance in self._rows("share_instances"):
            netns = place_netns(instance["share_server_id"])
            sets = _sets(json.loads(_nft(netns, "-j", "list", "ruleset"))["nftables"])
            names = [n for n in sets if n.partition("_")[2] == str(instance["export_id"])]
            found[instance["id"]] = [to for name in names for to in sets[name]]
        return found

    def connected(self, tenant: Tenant) -> set[str]:
        """Clients with a connection through the tenant's gateway."""
        return {found.client for found in _connections(self._road.netns(tenant))}

    # --- everything ---------------------------------------------------------------------------

    def _everything(self) -> Iterator[str]:
        road = self._road
        for (kind, id_), mark in road.marks().items():
            yield f"{kind} {id_}{' broken' if mark.broken else ''}"
        for table in ("share_servers", "address_leases", "flow_leases", "share_instances"):
            for row in self._rows(table):
                yield f"row of {table} {row['id']}"
        for number, path in road.filer.exports().items():
            yield f"export {number} {path}"
        for path in road.filer.tree.rglob("*"):
            yield f"on the filer {path.relative_to(road.filer.tree)}"
        text = (road.filer.rules / "roadstead.conf").read_text()
        yield f"{text.count('EXPORT {')} exports in the filer's file"
        for directory, _, names in os.walk(road.service.state / "exports"):
            for name in names:
                yield f"file {directory}/{name}"
        for line in _nft(road.host.netns, "list", "ruleset").splitlines():
            if line.startswith("table"):
                yield line
        for server in self._rows("share_servers"):
            for found in _connections(place_netns(server["id"])):
                yield f"connection of {found.client}"

    # --- one gateway --------------------------------------------------------------------------

    def _at_gateway(self, server_id: str, instances: list[Row]) -> Iterator[str]:
        netns = place_netns(server_id)
        if not (NETNS_DIRECTORY / netns).exists():
            yield f"namespace {netns} is missing"
            return
        yield from self._on_interfaces(server_id, netns)
        shown = json.loads(_nft(netns, "-j", "list", "ruleset") or "{}").get("nftables", [])
        sets = _sets(shown)
        wanted: dict[str, list[str]] = {}
        for instance in instances:
            clients = self._clients(instance)
            for level in ("rw", "ro"):
                for family, colon in ((4, False), (6, True)):
                    name = f"{level}{family}_{instance['export_id']}"
                    wanted[name] = sorted(
                        to for to, at in clients.items() if at == level and (":" in to) == colon
                    )
        there = {name: elements for name, elements in sets.items() if name[:2] in ("rw", "ro")}
        yield from differences("set", there, wanted)
        tables = {item["table"]["name"] for item in shown if "table" in item}
        yield from differences("table", tables, {"roadstead_gateway", "roadstead_state"})
        yield from self._passing(netns, instances)

    def _on_interfaces(self, server_id: str, netns: str) -> Iterator[str]:
        leases = [r for r in self._rows("address_leases") if r["share_server_id"] == server_id]
        flows = [r for r in self._rows("flow_leases") if r["share_server_id"] == server_id]
        yield from (f"lease {row['address']} is retired" for row in flows if row["retired"])
        wanted: dict[str, set[str]] = defaultdict(set)
        for lease in leases:
            device = Marks(self._road.host.netns).interface(lease["id"])
            for row in (lease, *(f for f in flows if f["subnet_id"] == lease["subnet_id"])):
                wanted[device].add(f"{row['address']}/{row['prefix_length']}")
        for device, addresses in wanted.items():
            found = address_texts(netns, device) if find_link(netns, device) else set[str]()
            yield from differences(f"address of {device}", found, addresses)

    def _passing(self, netns: str, instances: list[Row]) -> Iterator[str]:
        """Connections, each of which some rule admits; and the kernel forwards them."""
        marks = {
            mark_of(i["export_id"], level): (set(self._clients(i)), level)
            for i in instances
            for level in ("rw", "ro")
        }
        for found in _connections(netns):
            if found.client not in marks.get(found.mark, (set[str](), ""))[0]:
                yield f"a connection of {found.client} passes"
        keys = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
        told = in_thread(netns, lambda: _run("sysctl", "-n", *keys)).split()
        yield from (f"{key} is off" for key, now in zip(keys, told, strict=True) if now != "1")

    # --- the filer, the database --------------------------------------------------------------

    def _shares(self) -> set[str]:
        return set(os.listdir(self._road.filer.tree / "roadstead/shares"))

    def _exported(self) -> dict[str, dict[str, str]]:
        found = self._road.filer.clients()
        return {name: clients for name, clients in found.items() if name.startswith("/share-")}

    def _sources(self, instance: Row) -> dict[str, str]:
        """Whom the filer must admit to the share."""
        flows = [f for f in self._rows("flow_leases") if f["instance_id"] == instance["id"]]
        families = {(level, ":" in to) for to, level in self._clients(instance).items()}
        return {
            f["address"]: f["purpose"]
            for f in flows
            if (f["purpose"], ":" in f["address"]) in families
        }

    def _clients(self, instance: Row) -> dict[str, str]:
        return {
            rule["access_to"]: rule["access_level"]
            for rule in self._rows("access_rules")
            if rule["share_id"] == instance["share_id"] and rule["state"] in _IN_FORCE
        }

    def _rows(self, table: str) -> list[Row]:
        with contextlib.closing(self._road.database()) as database:
            found = database.execute(_ALL[table])
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]


def _connections(netns: str) -> list[conntrack.Connection]:
    """Those with a mark that the kernel knows there, but those that were ended by their ends."""
    if not (NETNS_DIRECTORY / netns).exists():
        return []
    return [c for c in netlink.within(netns, lambda _: conntrack.connections()) if c.established]


def _sets(shown: list[Row]) -> dict[str, list[str]]:
    """The clients in each set of a gateway's rules."""
    found = [item["set"] for item in shown if "set" in item]
    return {s["name"]: sorted(_text(e) for e in s.get("elem", ())) for s in found}


def _text(element: Any) -> str:
    if isinstance(element, dict) and "prefix" in element:
        return f"{element['prefix']['addr']}/{element['prefix']['len']}"
    return str(element)


def _nft(netns: str, *words: str) -> str:
    return in_thread(netns, lambda: _run("nft", *words))


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
