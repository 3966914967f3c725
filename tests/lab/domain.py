"""A guest that libvirt runs: define it, start it, run scripts in it."""

import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from xml.sax.saxutils import quoteattr

from roadstead.drivers.hypervisor.libvirt import binding
from roadstead.drivers.hypervisor.libvirt.xml import NAMESPACE
from tests.lab.build import Image
from tests.lab.channel import Channel
from tests.lab.guest import COMMAND_LINE, Guest, Result
from tests.lab.libvirtd import Libvirtd
from tests.lab.requirements import LabError

SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
# What stands in the guest until the device has come; `mount` fails before that.
MOUNT = (
    "i=0; until {command} 2>/tmp/why; do i=$((i+1));"
    " [ $i -gt 200 ] && cat /tmp/why && exit 1; sleep 0.05; done"
)


class Domain(Guest):
    """Defined and started at enter, gone at exit. It has no network at all."""

    def __init__(
        self,
        libvirtd: Libvirtd,
        image: Image,
        *,
        name: str = "",
        project_id: str | None = None,
        metadata: str = "",
        shared_memory: bool = True,
        ports: int = 8,
        memory: int = 256,
        modules: Sequence[str] = ("virtiofs", "9pnet_virtio", "9p"),
        running: bool = True,
        extra_devices: str = "",
        numa: bool = False,
    ) -> None:
        """ports: PCIe root ports in all, of which libvirt needs one for its own devices. numa: its
        memory is a NUMA cell, which libvirt 9 knows to be shared after its own restart, too."""
        super().__init__(image, modules=modules, memory=memory, shared_memory=shared_memory)
        self.id = str(uuid.uuid4())
        self.name = name or f"rs-{self.id[:8]}"
        self._libvirtd = libvirtd
        self._project_id = project_id
        self._metadata = metadata
        self.ports = ports
        self._begin_running = running
        self._extra_devices = extra_devices
        self._numa = numa
        self.directory = libvirtd.directory / self.id[:8]

    def _make(self, undo: ExitStack) -> None:
        self.directory.mkdir()
        undo.callback(self._forget)
        with self._libvirtd.connection.using() as connection:
            connection.defineXML(self.xml())
        if self._begin_running:
            self.power_on()

    def power_on(self) -> None:
        """It has booted and answers."""
        try:
            self._call(lambda domain: domain.create())
            self._channel = Channel(self.directory / "ctl", 20)
            line = self._channel.line(self._boot_timeout)
            if not line.startswith(b"READY"):
                raise LabError(f"unexpected greeting {line!r}")
        except BaseException as error:
            raise LabError(f"{self.name} did not come up: {error!r}\n{self.log_tail()}") from error
        threading.Thread(target=self._receive, name="guest-answers", daemon=True).start()

    def power_off(self) -> None:
        """It is off, as if its power had failed; what was defined stays."""
        if hasattr(self, "_channel"):
            self._channel.close()
        self._call(lambda domain: domain.destroy() if domain.isActive() else None)

    def _forget(self) -> None:
        """libvirt does not know it any more."""
        lib = binding.load()
        with self._libvirtd.connection.using() as connection:
            found = [d for d in connection.listAllDomains() if d.UUIDString() == self.id]
            for domain in found:
                self.power_off()
                try:
                    domain.undefine()
                except lib.libvirtError as error:  # a transient one went with its power
                    if error.get_error_code() != lib.VIR_ERR_NO_DOMAIN:
                        raise

    def mount(self, command: str) -> Result:
        """The guest has run the mount command as soon as the device was there."""
        point = command.split()[-1]
        return self.sh(f"mkdir -p {point}; {MOUNT.format(command=command)}", check=False)

    def live_xml(self) -> str:
        """libvirt's description of the running domain."""
        return self._call(lambda domain: domain.XMLDesc(0))

    def log_tail(self, length: int = 3000) -> str:
        """The end of what the guest's kernel and libvirtd said."""
        console = self.directory / "console"
        text = console.read_text(errors="replace")[-length:] if console.exists() else ""
        return f"--- console\n{text}\n--- libvirtd\n{self._libvirtd.log_tail(length)}"

    def _call(self, action: Any) -> Any:
        with self._libvirtd.connection.using() as connection:
            return action(connection.lookupByUUIDString(self.id))

    def xml(self) -> str:
        """Its definition."""
        project = quoteattr(self._project_id) if self._project_id else ""
        ours = f"<r:vm xmlns:r='{NAMESPACE}' project={project}/>" if project else ""
        mods = f" rs.mods={','.join(self._modules)}" if self._modules else ""
        cell = f"<cell id='0' cpus='0' memory='{self._memory}' unit='MiB' memAccess='shared'/>"
        numa = f"<numa>{cell}</numa>" if self._numa else ""
        ports = "".join(
            f"<controller type='pci' index='{i}' model='pcie-root-port'/>"
            for i in range(1, self.ports + 1)
        )
        return f"""<domain type='qemu'><name>{self.name}</name><uuid>{self.id}</uuid>
            <metadata>{ours}{self._metadata}</metadata>
            <memory unit='MiB'>{self._memory}</memory><vcpu>1</vcpu>
            {SHARED if self._shared_memory else ""}
            <os><type arch='x86_64' machine='q35'>hvm</type>
            <kernel>{self.image.kernel}</kernel><initrd>{self.image.initrd}</initrd>
            <cmdline>{COMMAND_LINE}{mods}</cmdline></os><features><acpi/></features>
            <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model>{numa}</cpu>
            <on_reboot>destroy</on_reboot>
            <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{ports}
            <controller type='usb' model='none'/><memballoon model='none'/>
            <serial type='file'><source path='{self.directory}/console'/></serial>
            <channel type='unix'><source mode='bind' path='{self.directory}/ctl'/>
            <target type='virtio' name='rs.ctl'/></channel>{self._extra_devices}
            </devices></domain>"""
