"""Export rules on a Linux NFS server (knfsd), made by its `exportfs` over ssh."""

import shlex
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.filer import paths
from roadstead.drivers.filer.exportfs import text
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import DriverError, Transient, Unsupported

_CONNECTION_FAILED = 255  # ssh(1)
_READ = 'if [ -e "$1" ]; then cat -- "$1"; fi'
_WRITE = 'umask 022 && cat > "$1.tmp" && sync "$1.tmp" && mv -- "$1.tmp" "$1" && sync "${1%/*}"'


class ExportfsFiler:
    """Exports of the host, which is logged in to as `user` (root, or somebody who may run exportfs
    and write `file`).

    The administrator's own exports are never touched: neither /etc/exports, nor what was exported
    by hand, which is why `exportfs -r` is never called. Ours are those in `file`, and those of the
    directories beside them. `file` brings them back when the filer starts; clients keep their
    mounts, for every export has its share's id as fsid.

    Clients of a knfsd mount the directory itself: `FilerExport.name` must be its path.

    The host's key must be known (`known_hosts`, else the user's own file): nobody is asked. With
    `command` another program than ssh takes the words after it.

    Seen with nfs-utils 2.6.2 on Linux 6.1, NFSv4.1: the kernel asks again for every request, so who
    was denied or narrowed is refused on the session that he has, and admitted again goes on there.
    Handles forged from one share lead into no other (see `exportfs_text.options`). The price: after
    the filer's reboot, a file that was meanwhile moved to another directory is stale for whoever
    had it open. What exportfs tells is its own list (/var/lib/nfs/etab), also while the NFS server
    is down; who cannot be admitted because his directory is missing is not left in it.
    """

    info = FilerInfo(kind="exportfs")

    class Options(DriverOptions, frozen=True):
        """How the filer is logged in to."""

        host: Annotated[str, doc("The filer's name or address, for ssh")]
        user: Annotated[str, doc("root, or who may run exportfs there and write the file")] = "root"
        identity_file: Annotated[str, doc("The private key; '' = as ssh finds one")] = ""
        known_hosts: Annotated[
            str, doc("Where the filer's host key stands; '' = the user's own file")
        ] = ""
        port: Annotated[int, doc("Of its ssh", ge=1, le=65535)] = 22
        command: Annotated[tuple[str, ...], doc("The program that takes ssh's words after it")] = (
            "ssh",
        )
        file: Annotated[str, doc("Our exports there, which bring them back when it starts")] = (
            "/etc/exports.d/roadstead.exports"
        )
        timeout: Annotated[float, doc("Seconds until it counts as away", gt=0)] = 60.0

    def __init__(self, options: Options) -> None:
        self._ssh = _ssh(options)
        self._file = options.file
        self._timeout = options.timeout
        self._lock = threading.Lock()

    def name_of(self, instance_id: str, path: str) -> str:
        """As the Protocol says: knfsd exports directories by their own names."""
        return path

    def flow_sources(self, instance_id: str) -> None:
        """Any."""

    def ensure_export(self, spec: FilerExport) -> None:
        """In the file, and in the filer's kernel for exactly these clients; any other is refused
        from its next request on. Unsupported when the name is not the path."""
        paths.check(spec)
        if spec.name != spec.path:
            raise Unsupported("clients of this filer mount the directory itself, by its path")
        if paths.instance_of(spec.path) != spec.instance_id:
            raise DriverError(f"{spec.path} is not the directory of {spec.instance_id}")
        rule = text.Rule(
            instance_id=spec.instance_id,
            export_id=spec.export_id,
            path=spec.path,
            clients=dict(sorted(spec.clients.items())),
        )
        with self._lock:
            rules, live = self._rules(), self._live()
            if rules.get(rule.instance_id) != rule:
                self._write({**rules, rule.instance_id: rule})
            self._run(text.commands(rule, rule.path, live.get(rule.path, {}), rule.clients))

    def ensure_export_absent(self, instance_id: str) -> None:
        """Neither in the kernel nor in the file."""
        with self._lock:
            rules, live = self._rules(), self._live()
            for path, clients in live.items():
                if paths.instance_of(path) == instance_id:
                    self._run(text.commands(None, path, clients, {}))
            # Last: what is exported without being in the file would be nobody's.
            if rules.pop(instance_id, None) is not None:
                self._write(rules)

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """Unsupported: exportfs limits no sizes."""
        raise Unsupported("this filer limits no sizes")

    def inventory(self) -> Iterator[w.Mark]:
        """Every export of ours, in the file or in the kernel; clients as the kernel has them."""
        with self._lock:
            rules, live = self._rules(), self._live()
        for rule in rules.values():
            clients = live.get(rule.path, {})
            broken = None if clients == rule.clients else "other clients are admitted"
            yield _mark(rule.instance_id, rule.export_id, rule.path, clients, broken)
        roots = {rule.path.rpartition("/")[0] for rule in rules.values()}
        for path, clients in live.items():
            id_ = paths.instance_of(path)
            if id_ and id_ not in rules and path.rpartition("/")[0] in roots:
                yield _mark(id_, 0, path, clients, "in no file of ours")

    # --- inside -------------------------------------------------------------------------------

    def _rules(self) -> dict[str, text.Rule]:
        return text.parse_file(self._there(shlex.join(["sh", "-c", _READ, "sh", self._file])))

    def _live(self) -> dict[str, dict[str, str]]:
        return text.parse_listing(self._there("exportfs -v"))

    def _write(self, rules: dict[str, text.Rule]) -> None:
        script = shlex.join(["sh", "-c", _WRITE, "sh", self._file])
        self._there(script, stdin=text.exports_text(rules.values()))

    def _run(self, commands: Sequence[Sequence[str]]) -> None:
        if commands:
            self._there(" && ".join(map(_step, commands)))

    def _there(self, command: str, *, stdin: str = "") -> str:
        """What the command printed on the filer, where a shell takes it apart."""
        try:
            return run([*self._ssh, command], stdin=stdin, timeout=self._timeout)
        except CommandFailed as error:
            said = error.output.strip()[-300:]
            if error.status == _CONNECTION_FAILED:
                raise Transient(f"the filer cannot be logged in to: {said}") from error
            raise DriverError(f"the filer refused: {said}") from error


def _step(argv: Sequence[str]) -> str:
    step = shlex.join(argv)
    if argv[1] != "-o":
        return step
    # exportfs keeps in its list what it refuses (no such directory): next time it would seem done.
    undo = shlex.join(["exportfs", "-u", argv[-1]])
    return f"{{ {step} || {{ {undo}; false; }}; }}"


def _mark(
    id_: str, export_id: int, path: str, clients: dict[str, str], broken: str | None
) -> w.Mark:
    facts: dict[str, object] = {
        "export_id": export_id,
        "path": path,
        "name": path,
        "clients": clients,
    }
    return w.Mark(kind="export", id=id_, facts=facts, broken=broken)


def _ssh(options: ExportfsFiler.Options) -> list[str]:
    """The words before those of a command for the filer."""
    told = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10"]
    told += ["ServerAliveInterval=5", "ServerAliveCountMax=3"]
    if options.identity_file:
        told += [f"IdentityFile={options.identity_file}", "IdentitiesOnly=yes"]
    if options.known_hosts:
        told.append(f"UserKnownHostsFile={options.known_hosts}")
    words = [word for option in told for word in ("-o", option)]
    port = str(options.port)
    return [*options.command, *words, "-p", port, "-l", options.user, "--", options.host]
