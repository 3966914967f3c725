"""What makes an operation fail for good, in the real world, and lets its undo succeed.

Each is a context: the obstacle is there between enter and exit, and may be gone before (with the
agent that was killed).
"""

import contextlib
import os
import resource
import subprocess
from collections.abc import Generator

from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.ganesha import conf
from roadstead.drivers.pool.image.driver import ImagePool
from tests.crash.census import image_of
from tests.crash.scenario import Stage, Subject

GIB = 1 << 30
_IMPOSTOR = 60000
_STRANGE = "/strange"


@contextlib.contextmanager
def no_file_above_two_gib(stage: Stage, _subject: Subject) -> Generator[None]:
    """The agent cannot make a file larger than 2 GiB: as on a file system that has such a limit."""
    pid = stage.agent_pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (2 * GIB, 2 * GIB))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def next_export_number_strange(stage: Stage, _subject: Subject) -> Generator[None]:
    """Ganesha serves something that is no share under the number that the next share's export
    gets. The next agent puts that right when it starts."""
    number = 1 + max((k.export_id for k in stage.census.shares()), default=0)
    server, file = _server(stage), stage.state / "strange.conf"
    file.write_text(
        conf.export_block(export_id=number, path=str(stage.state), pseudo=_STRANGE, clients={})
    )
    with server.lock:
        server.bus.add_export(file, number)
    try:
        yield
    finally:
        file.unlink()
        with server.lock:
            if server.bus.show_exports().get(number) == _STRANGE:  # else an agent has removed it
                server.bus.remove_export(number)


@contextlib.contextmanager
def data_does_not_fit(stage: Stage, subject: Subject) -> Generator[None]:
    """The share holds more than 1 GiB."""
    path = _pool(stage).layout.point(subject.known(stage).instance_id) / "data"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, GIB + (256 << 20))
    yield


@contextlib.contextmanager
def image_cannot_be_moved(stage: Stage, subject: Subject) -> Generator[None]:
    """The share's image is immutable (chattr(1))."""
    image = image_of(subject.known(stage), stage.census.backend)
    subprocess.run(["chattr", "+i", str(image)], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(image)], check=True)


@contextlib.contextmanager
def export_file_cannot_be_replaced(stage: Stage, subject: Subject) -> Generator[None]:
    """The file with the share's export is a mount point, which nothing can be renamed to."""
    file = str(_server(stage).files.path(subject.known(stage).export_id))
    subprocess.run(["mount", "--bind", file, file], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", file], check=True)


@contextlib.contextmanager
def server_refuses_export(stage: Stage, subject: Subject) -> Generator[None]:
    """Ganesha refuses whatever is said about the share's export: it serves the share under
    another number. The next agent puts that right when it starts."""
    known, server = subject.known(stage), _server(stage)
    wrong = conf.StoredExport(
        export_id=_IMPOSTOR,
        instance_id=known.instance_id,
        path=str(_pool(stage).layout.point(known.instance_id)),
    )
    file = stage.state / "impostor.conf"
    file.write_text(conf.export_text(wrong))
    with server.lock:
        server.bus.remove_export(known.export_id)
        server.bus.add_export(file, _IMPOSTOR)
    try:
        yield
    finally:
        file.unlink()


@contextlib.contextmanager
def vm_cannot_be_redefined(stage: Stage, _subject: Subject) -> Generator[None]:
    """libvirt cannot write the VM's definition: its file is a mount point there, which nothing can
    be renamed to."""
    libvirtd = stage.host.libvirtd
    file = f"/etc/libvirt/qemu/{stage.host.vm.name}.xml"
    libvirtd.inside(["mount", "--bind", file, file])
    try:
        yield
    finally:
        libvirtd.inside(["umount", file])


def _pool(stage: Stage) -> ImagePool:
    pool = stage.census.backend.pool
    assert isinstance(pool, ImagePool)
    return pool


def _server(stage: Stage):
    backend = stage.census.backend
    assert isinstance(backend.export, GaneshaExport)
    return backend.export._server(backend.place)
