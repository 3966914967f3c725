"""A real Linux in QEMU: boots in seconds, runs shell scripts, speaks QMP."""

import base64
import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.lab.build import Image
from tests.lab.channel import Channel, Qmp
from tests.lab.netns import open_tap
from tests.lab.process import spawn, stop
from tests.lab.requirements import LabError, require
from tests.lab.segment import Nic
from tests.temporary import Temporary

ACCEL_VARIABLE = "ROADSTEAD_LAB_ACCEL"
# Not by the presence of /dev/kvm: there are machines where it opens and no guest boots.
DEFAULT_ACCEL = "tcg,thread=multi"
# What costs seconds under emulation and protects nobody here is switched off.
COMMAND_LINE = (
    "console=ttyS0 panic=-1 reboot=t quiet tsc=reliable no_timer_check mitigations=off "
    "nokaslr 8250.nr_uarts=1 cryptomgr.notests random.trust_cpu=on"
)


@dataclass(frozen=True)
class Result:
    """How a script in the guest ended; both its output streams in one text."""

    rc: int
    output: str


@dataclass(frozen=True)
class Job:
    """A script on its way."""

    script: str
    outcome: Future[Result]


class Guest(Temporary):
    """Runs between enter and exit, and never longer than the process that started it."""

    def __init__(
        self,
        image: Image,
        nics: Sequence[Nic] = (),
        *,
        netns: str | None = None,
        modules: Sequence[str] = (),
        memory: int = 256,
        cpus: int = 1,
        shared_memory: bool = False,
        hotplug_ports: int = 2,
        extra: Sequence[str] = (),
        append: str = "",
        boot_timeout: float = 120,
    ) -> None:
        """shared_memory: virtiofs needs it; hotplug_ports: empty pcie-root-ports rp0, rp1, …;
        netns: for QEMU itself, the network cards find their taps without it."""
        require("qemu-system-x86_64", "nsenter", "setpriv")
        self.image = image
        self.nics = tuple(nics)
        self.boot_seconds = 0.0
        self._netns = netns
        self._modules = modules
        self._memory = memory
        self._cpus = cpus
        self._shared_memory = shared_memory
        self._hotplug_ports = hotplug_ports
        self._extra = extra
        self._append = append
        self._boot_timeout = boot_timeout
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[Result]] = {}

    def _make(self, undo: ExitStack) -> None:
        """It has booted. In the end it is off, as if its power had failed."""
        self.directory = Path(tempfile.mkdtemp(prefix="rs-guest-"))
        undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        began = time.monotonic()
        self._start_qemu()
        undo.callback(stop, self.process, grace=0)
        try:
            self._channel = self._wait_ready(began + self._boot_timeout)
            undo.callback(self._channel.close)
            self.boot_seconds = time.monotonic() - began
            self.qmp = Qmp(self.directory / "qmp.sock")
            undo.callback(self.qmp.close)
        except BaseException as error:
            raise LabError(f"the guest did not come up: {error!r}\n{self.log_tail()}") from error
        threading.Thread(target=self._receive, name="guest-answers", daemon=True).start()

    def start(self, script: str) -> Job:
        """The script runs in the guest, beside whatever else runs there."""
        number = str(next(self._ids))
        outcome: Future[Result] = Future()
        with self._lock:
            self._waiting[number] = outcome
            self._channel.send(f"{number} {base64.b64encode(script.encode()).decode()}".encode())
        return Job(script, outcome)

    def result(self, job: Job, timeout: float = 60) -> Result:
        """How the job ended; TimeoutError, and the job goes on, if it did not in time."""
        try:
            return job.outcome.result(timeout)
        except TimeoutError:
            text = f"{job.script!r} did not end in {timeout} s\n{self.log_tail()}"
            raise TimeoutError(text) from None

    def sh(self, script: str, timeout: float = 60, check: bool = True) -> Result:
        """How the script ended; with check, anything but status 0 is a LabError."""
        result = self.result(self.start(script), timeout)
        if check and result.rc != 0:
            raise LabError(f"{script!r} ended with {result.rc}: {result.output}")
        return result

    def log_tail(self, length: int = 3000) -> str:
        """The end of what QEMU and the guest's kernel said."""
        texts: list[str] = []
        for name in ("qemu.log", "console.log"):
            path = self.directory / name
            text = path.read_text(errors="replace") if path.exists() else ""
            texts.append(f"--- {name}\n{text[-length:]}")
        return "\n".join(texts)

    def _wait_ready(self, end: float) -> Channel:
        channel = Channel(self.directory / "ctl.sock", 10)
        line = channel.line(max(0.01, end - time.monotonic()))
        if not line.startswith(b"READY"):
            channel.close()
            raise LabError(f"unexpected greeting {line!r}")
        return channel

    def _receive(self) -> None:
        """Every answer reaches whoever waits for it, until the guest is gone."""
        try:
            while True:
                number, code, *rest = self._channel.line(None).decode().split(" ")
                output = base64.b64decode(rest[0] if rest else "").decode(errors="replace")
                with self._lock:
                    waiting = self._waiting.pop(number, None)
                if waiting:
                    waiting.set_result(Result(int(code), output))
        except (EOFError, OSError, ValueError) as error:
            with self._lock:
                left, self._waiting = list(self._waiting.values()), {}
            for outcome in left:
                outcome.set_exception(LabError(f"the guest's channel ended: {error!r}"))

    def _start_qemu(self) -> None:
        with ExitStack() as ours:
            taps: list[int] = []
            for nic in self.nics:
                taps.append(open_tap(nic.netns, nic.tap))
                ours.callback(os.close, taps[-1])
            log = ours.enter_context((self.directory / "qemu.log").open("wb"))
            self.process = spawn(self._argv(taps), netns=self._netns, output=log, pass_fds=taps)

    def _argv(self, taps: Sequence[int]) -> list[str]:
        accel = os.environ.get(ACCEL_VARIABLE) or DEFAULT_ACCEL
        # "max" is twice as slow as qemu64 under emulation and has a wrong clock.
        cpu = "host" if accel.startswith("kvm") else "qemu64"
        machine = "q35" + (",memory-backend=mem" if self._shared_memory else "")
        nics = "".join(
            f" rs.nic={nic.mac},{nic.ip},{nic.ip6},{nic.mtu},{nic.gw},{nic.gw6}"
            for nic in self.nics
        )
        modules = f" rs.mods={','.join(self._modules)}" if self._modules else ""
        directory = self.directory
        argv = f"""qemu-system-x86_64 -machine {machine} -accel {accel} -cpu {cpu}
            -m {self._memory} -smp {self._cpus} -nodefaults -display none -no-reboot
            -serial file:{directory}/console.log
            -qmp unix:{directory}/qmp.sock,server=on,wait=off
            -kernel {self.image.kernel} -initrd {self.image.initrd}
            -device virtio-serial-pci
            -chardev socket,id=ctl,path={directory}/ctl.sock,server=on,wait=off
            -device virtserialport,chardev=ctl,name=rs.ctl""".split()
        argv += ["-append", f"{COMMAND_LINE}{modules}{nics} {self._append}"]
        if self._shared_memory:
            argv += ["-object", f"memory-backend-memfd,id=mem,size={self._memory}M,share=on"]
        for number in range(self._hotplug_ports):
            slot = number + 1
            argv += ["-device", f"pcie-root-port,id=rp{number},chassis={slot},slot={slot}"]
        for number, (nic, fd) in enumerate(zip(self.nics, taps, strict=True)):
            argv += ["-netdev", f"tap,id=n{number},fd={fd}"]
            card = f"virtio-net-pci,netdev=n{number},mac={nic.mac},romfile="
            argv += ["-device", card]
        return [*argv, *self._extra]
