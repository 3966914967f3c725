"""The census finds what a killed agent could leave behind; else "0 leaked" would say nothing."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from roadstead.drivers.export.ganesha.driver import GaneshaExport
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model.ids import image_name, new_id
from tests.crash.obstacles import server_refuses_export
from tests.crash.scenario import Subject
from tests.crash.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("crash-rules")]


@contextlib.contextmanager
def _file(path: Path) -> Generator[None]:
    path.touch()
    yield
    path.unlink()


@contextlib.contextmanager
def _directory(path: Path) -> Generator[None]:
    path.mkdir()
    yield
    path.rmdir()


@contextlib.contextmanager
def _moved(path: Path, to: Path) -> Generator[None]:
    path.rename(to)
    yield
    to.rename(path)


@contextlib.contextmanager
def _mount(path: Path) -> Generator[None]:
    with _directory(path):
        subprocess.run(["mount", "-t", "tmpfs", "stray", str(path)], check=True)
        yield
        subprocess.run(["umount", str(path)], check=True)


@contextlib.contextmanager
def _loop(path: Path) -> Generator[None]:
    with _file(path):
        os.truncate(path, 1 << 20)
        argv = ["losetup", "--find", "--show", str(path)]
        device = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
        yield
        subprocess.run(["losetup", "--detach", device], check=True)


@contextlib.contextmanager
def _program(path: Path) -> Generator[None]:
    """A second program of Ganesha's name with our path in its command line."""
    program = path / "ganesha.nfsd"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([str(program), "60"]) as process:
        yield
        process.kill()
    program.unlink()


def test_the_census_sees_what_is_left():
    with Stage("sqlite") as stage:
        subject = Subject(share_id=stage.api.create_share(1)["id"])
        stage.api.allow(subject.share_id, "10.9.8.7")
        limits = stage.api.get("/limits")["limits"]["absolute"]
        os.kill(stage.agent_pid, signal.SIGSTOP)  # it would tidy up
        try:
            for what, plant in _plants(stage, subject):
                with plant:
                    leaked = stage.census.take(limits).leaked
                assert any(text.startswith(what) for text in leaked), (what, leaked)
                assert not stage.census.take(limits), f"{what} was not taken back"
            wrong = {**limits, "totalShareGigabytesUsed": 2}
            assert stage.census.take(wrong).leaked == ["quota: totalShareGigabytesUsed is 2, not 1"]
            with server_refuses_export(stage, subject):
                texts = " ".join(stage.census.take(limits).leaked)
            assert "number 60000" in texts
            assert "admits {}" in texts
        finally:
            os.kill(stage.agent_pid, signal.SIGCONT)
        assert not stage.settle()


def _plants(stage: Stage, subject: Subject) -> list[tuple[str, AbstractContextManager[None]]]:
    backend = stage.census.backend
    assert isinstance(backend.pool, ImagePool)
    assert isinstance(backend.export, GaneshaExport)
    layout, known = backend.pool.layout, subject.known(stage)
    files = backend.export._server(backend.place).files
    name, image = image_name(new_id()), layout.share(known.instance_id)
    return [
        (f"image {name}", _file(layout.images / name)),
        (f"image .{name}.tmp", _file(layout.images / f".{name}.tmp")),
        (f"image {image.name} is missing", _moved(image, layout.images / name)),
        (f"trash {name}", _file(layout.trash / name)),
        (f"set aside {name}", _file(layout.kept / name)),
        ("in the pool other", _file(layout.pool / "other")),
        ("beside the pool pool.img.tmp", _file(layout.directory / "pool.img.tmp")),
        ("mount point", _directory(layout.mounts / new_id())),
        ("mount ", _mount(stage.state / "stray")),
        ("loop device", _loop(stage.state / "stray.img")),
        ("export file .9.conf.tmp", _file(files.path(9).with_name(".9.conf.tmp"))),
        ("export file 9.conf", _file(files.path(9))),
        ("2 processes ganesha.nfsd", _program(stage.state)),
    ]
