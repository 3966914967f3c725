"""A connection to libvirt that is made when needed and made again when it was lost."""

import contextlib
import threading
from collections.abc import Generator
from typing import Any

from roadstead.drivers.hypervisor.changes import Changes
from roadstead.drivers.hypervisor.libvirt import binding
from roadstead.model.errors import Conflict, DriverError, NotFound, Transient, Unsupported

# Seconds between questions, and how many may stay unanswered, before libvirtd counts as dead.
_KEEPALIVE = (5, 3)

# Seen with libvirt 9.0; a VM with a NUMA cell whose memAccess is shared has no such trouble.
FORGOTTEN = (
    ". If the VM has it: a libvirtd that was restarted no longer knows that of a running VM. "
    "Restart the VM, or attach it for the next start (--cold)"
)


class Connection:
    """libvirt at one URI. Every use turns libvirt's errors into ours."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.changes = Changes()
        self._lock = threading.Lock()
        self._open: Any = None

    @contextlib.contextmanager
    def using(self) -> Generator[Any]:
        """libvirt's connection object. Transient while libvirt cannot be reached."""
        lib = binding.load()
        connection = None
        try:
            connection = self._connected(lib)
            yield connection
        except lib.libvirtError as error:
            raise self._ours(lib, error, connection) from error

    def _connected(self, lib: Any) -> Any:
        with self._lock:
            if self._open is not None and not self._open.isAlive():
                self._drop(lib)
            if self._open is None:
                made = lib.open(self.uri)
                with contextlib.suppress(lib.libvirtError):  # the embedded driver has no such thing
                    made.setKeepAlive(*_KEEPALIVE)
                self._watch(lib, made)
                self._open = made
            return self._open

    def _watch(self, lib: Any, connection: Any) -> None:
        for event in (
            lib.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lib.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
            lib.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
        ):
            connection.domainEventRegisterAny(None, event, self.changes.note, None)

    def _drop(self, lib: Any) -> None:
        with contextlib.suppress(lib.libvirtError):
            self._open.close()
        self._open = None

    def _ours(self, lib: Any, error: Any, connection: Any) -> Exception:
        if connection is None or not connection.isAlive():
            return Transient(f"libvirt at {self.uri} cannot be reached: {error}")
        code, text = error.get_error_code(), str(error)
        if code == lib.VIR_ERR_NO_DOMAIN:
            return NotFound(f"the VM is unknown to libvirt at {self.uri}")
        if code in (lib.VIR_ERR_OPERATION_TIMEOUT, lib.VIR_ERR_OPERATION_ABORTED):
            return Transient(f"libvirt is busy: {text}")
        if code == lib.VIR_ERR_OPERATION_INVALID and "already exists" in text:
            return Conflict(f"the VM has another filesystem with that tag: {text}")
        if code == lib.VIR_ERR_OPERATION_INVALID and "not running" in text:
            return Transient(f"the VM stopped meanwhile: {text}")
        if code == lib.VIR_ERR_CONFIG_UNSUPPORTED:
            return Unsupported(text + (FORGOTTEN if "requires shared memory" in text else ""))
        return DriverError(f"libvirt: {text}")
