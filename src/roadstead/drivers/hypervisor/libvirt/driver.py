"""Filesystem devices in the VMs of a libvirt daemon.

libvirt starts and ends virtiofsd; what we leave in the world is a device with our alias, and for
some daemons a script with their options (see `daemon`).
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host import process
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.hypervisor import checks, marks
from roadstead.drivers.hypervisor.changes import Deaths
from roadstead.drivers.hypervisor.libvirt import binding, daemon, devices, guests
from roadstead.drivers.hypervisor.libvirt import xml as libvirt_xml
from roadstead.drivers.hypervisor.libvirt.connection import Connection
from roadstead.drivers.hypervisor.libvirt.facts import host_facts, sandbox
from roadstead.drivers.hypervisor.libvirt.guests import Seen
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import DriverError, Transient

LIBVIRT_READ_ONLY = (11, 0)  # the first that takes <readonly/> for virtiofs
DAEMON_SECONDS = 5.0  # for a virtiofsd to end once its VM has let go of it
UNSEEN = "libvirtd is in a mount namespace older than the directory of our mounts; restart it"


class LibvirtHypervisor:
    """QEMU VMs that libvirt runs; see `roadstead.drivers.base.compute.Hypervisor`."""

    class Options(DriverOptions, frozen=True, kw_only=True):
        """Of this host's VMs."""

        uri: Annotated[str, doc("Of libvirt")] = "qemu:///system"
        directory: Annotated[str, doc("Scripts with the options of daemons")]
        mounts: Annotated[
            str, doc("Where shares are mounted: daemons that serve something there are ours")
        ]
        virtiofsd: Annotated[str, doc("Its path; '' = where distributions have it")] = ""
        id_base: Annotated[
            int, doc("The host's id of a guest's root, where ids are translated", ge=1)
        ] = 100_000
        detach_seconds: Annotated[
            float, doc("How long a guest may take to let a device go", gt=0)
        ] = 10.0

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"directory": where.state_directory, "mounts": where.mounts}

    def __init__(self, options: Options) -> None:
        self._connection = Connection(options.uri)
        self._mounts = Path(options.mounts).resolve()
        self._wrappers = daemon.Wrappers(Path(options.directory).resolve() / "daemons")
        self._virtiofsd = options.virtiofsd
        self._id_base = options.id_base
        self._detach_seconds = options.detach_seconds
        self._deaths = Deaths(self._daemon_pids, self._connection.changes)
        self._locks = IdLocks()  # by VM: of two attachments with one tag, one must see the other

    def capabilities(self) -> h.HostFacts:
        """What the host can do now."""
        with self._connection.using() as connection:
            return self._host(connection)

    def guests(self) -> list[h.GuestFacts]:
        """Every VM of the host, running or not."""
        with self._connection.using() as connection:
            return [guests.facts(seen, now=True) for _, seen in guests.all_of(connection)]

    def find_guest(self, name_or_id: str) -> h.GuestFacts | None:
        """The VM of that UUID or, if there is none, of that name; None otherwise."""
        with self._connection.using() as connection:
            seen = guests.find(connection, name_or_id)[1]
            seen = seen or guests.find_named(connection, name_or_id)
            return None if seen is None else guests.facts(seen, now=True)

    def why_not(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device even at the VM's next start."""
        with self._connection.using() as connection:
            guest = guests.facts(guests.known(connection, spec.vm_id)[1], now=False)
            return checks.at_all(spec, guest, self._host(connection))

    def why_not_hot(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device in the VM as it runs now."""
        with self._connection.using() as connection:
            guest = guests.facts(guests.known(connection, spec.vm_id)[1], now=True)
            return checks.hot(spec, guest, self._host(connection))

    def ensure_attached(self, spec: h.DeviceSpec) -> h.Device:
        """The VM has the device; see the Protocol."""
        devices.check_source(spec, self._mounts)
        with self._locks.held(spec.vm_id), self._connection.using() as connection:
            domain, seen = guests.known(connection, spec.vm_id)
            live, config = seen.halves(spec.attachment_id)
            for half in filter(None, (live, config)):
                devices.check_same(spec, half, self._wrappers)
            to_live = spec.live and seen.live is not None and live is None
            to_config = seen.config is not None and config is None
            if to_live or to_config:
                host = self._host(connection)
                _refuse(spec, seen, host)
                domain.attachDeviceFlags(self._xml(spec, host), _flags(to_live, to_config))
                self._check_served(domain, spec, to_live)
            where = devices.plugged(to_live or live is not None, to_config or config is not None)
            return devices.wanted(spec, where)

    def ensure_detached(self, ref: h.DeviceRef, *, force: bool = False) -> None:
        """The VM does not have the device; see the Protocol."""
        with self._locks.held(ref.vm_id):
            with self._connection.using() as connection:
                domain, seen = guests.find(connection, ref.vm_id)
                if seen is not None:
                    guests.check_still(seen)
                    self._unplug(domain, seen, ref.attachment_id, force=force)
            self._end_daemon(ref.attachment_id)
            self._wrappers.ensure_absent(ref.attachment_id)

    def inventory(self) -> Iterator[w.Mark]:
        """Every device of ours, and daemons of ours that serve no VM."""
        before = daemon.running(self._mounts)
        with self._connection.using() as connection:
            found = guests.all_of(connection)
            table_now, after = table.read(), daemon.running(self._mounts)
            plugged = [mark for each in found for mark in self._marks(each, after, table_now)]
        yield from plugged
        served = {mark.id for mark in plugged if mark.facts["plugged"] != "config"}
        # Seen before and after: one that was starting or ending meanwhile is no leftover.
        for attachment_id in (before.keys() & after.keys()) - served:
            facts: dict[str, object] = {"pids": after[attachment_id]}
            problem = "it serves no running VM"
            yield w.Mark(kind="virtiofsd", id=attachment_id, facts=facts, broken=problem)

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """The number of changes so far, once it is not `seen`; see the Protocol."""
        with self._connection.using():
            pass  # events come by an open connection
        return self._deaths.wait(seen, seconds)

    def _daemon_pids(self) -> set[int]:
        return {pid for pids in daemon.running(self._mounts).values() for pid in pids}

    def _marks(
        self,
        found: tuple[Any, Seen],
        daemons: dict[str, list[int]],
        mounts: dict[str, table.Seen],
    ) -> Iterator[w.Mark]:
        domain, seen = found
        for attachment_id in seen.attachments():
            live, config = seen.halves(attachment_id)
            half = live or config
            assert half is not None  # noqa: S101  # one of the two has just named it
            mount = mounts.get(half.source)
            facts: dict[str, object] = {
                "vm_id": seen.any.id,
                "tag": half.tag,
                "source": half.source,
                "driver": half.driver,
                "plugged": devices.plugged(live is not None, config is not None),
                "read_only": half.read_only or (mount is not None and mount.read_only),
            }
            problem = None
            if live is not None and live.driver == "virtiofs":
                problem = devices.problem(daemons.get(attachment_id), mount)
                # Looked at again: it may have been detached in this moment.
                problem = problem if problem and guests.is_live(domain, attachment_id) else None
            yield w.Mark(kind="device", id=attachment_id, facts=facts, broken=problem)

    def _host(self, connection: Any) -> h.HostFacts:
        return host_facts(connection, daemon.find(self._virtiofsd))

    def _xml(self, spec: h.DeviceSpec, host: h.HostFacts) -> str:
        ids = spec.ids or checks.default_ids(spec.driver)
        if spec.driver == "9p" or host.virtiofsd is None:
            return libvirt_xml.filesystem(spec, ids=ids, binary="", sandbox="")
        options = daemon.options(
            host.virtiofsd,
            read_only=spec.read_only,
            id_base=self._id_base if ids == "translated" else None,
            cache=spec.cache,
            # libvirt lets a device migrate only if its program is one it has a description of,
            # which our scripts are not.
            plain=host.live_migration,
        )
        binary = self._wrappers.ensure(spec.attachment_id, host.virtiofsd.path, options)
        return libvirt_xml.filesystem(
            spec,
            ids=ids,
            binary=binary,
            sandbox=sandbox(),
            says_read_only=checks.version(host.libvirt) >= LIBVIRT_READ_ONLY,
        )

    def _unplug(self, domain: Any, seen: Seen, attachment_id: str, *, force: bool) -> None:
        """The device is neither in the configuration nor in the running VM. Transient when the VM
        does not let go."""
        lib, alias = binding.load(), marks.alias_of(attachment_id)
        live, config = seen.halves(attachment_id)
        if config is not None:
            domain.detachDeviceAlias(alias, lib.VIR_DOMAIN_AFFECT_CONFIG)
        if live is None:
            return
        problem = "it does not answer"
        limit = time.monotonic() + (0 if live.driver == "9p" else self._detach_seconds)
        noted = self._connection.changes.count
        try:
            domain.detachDeviceAlias(alias, lib.VIR_DOMAIN_AFFECT_LIVE)
        except lib.libvirtError as error:
            # 9p cannot leave at all; another may be leaving already, since a call that was killed.
            problem = str(error)
        while guests.is_live(domain, attachment_id):
            if time.monotonic() < limit:
                noted = self._connection.changes.wait(noted, until=limit, longest=0.5)
            elif force:
                with contextlib.suppress(lib.libvirtError):  # it has ended by itself
                    domain.destroy()
            else:
                raise Transient(f"the VM has not released {live.tag}: {problem}")

    def _check_served(self, domain: Any, spec: h.DeviceSpec, live: bool) -> None:
        """The running VM has the share, and not what lies beneath its mount; else it is unplugged
        again, and DriverError."""
        share = table.at(spec.source)
        if not live or spec.driver != "virtiofs" or share is None:
            return
        pids = daemon.running(self._mounts).get(spec.attachment_id, [])
        if not daemon.serves(pids, share):
            seen = guests.look(domain)
            if seen is not None:
                self._unplug(domain, seen, spec.attachment_id, force=False)
            raise DriverError(f"virtiofsd does not see {spec.source}: {UNSEEN}")

    def _end_daemon(self, attachment_id: str) -> None:
        for pid in daemon.running(self._mounts).get(attachment_id, []):
            process.end(pid, patience=DAEMON_SECONDS)


def _refuse(spec: h.DeviceSpec, seen: Seen, host: h.HostFacts) -> None:
    if seen.live is not None and spec.live:
        checks.refuse(checks.hot(spec, guests.facts(seen, now=True), host))
    checks.refuse(checks.at_all(spec, guests.facts(seen, now=False), host))


def _flags(live: bool, config: bool) -> int:
    lib = binding.load()
    chosen = lib.VIR_DOMAIN_AFFECT_LIVE if live else 0
    chosen |= lib.VIR_DOMAIN_AFFECT_CONFIG if config else 0
    if not chosen:
        raise DriverError("there is nowhere to attach the device")
    return chosen
