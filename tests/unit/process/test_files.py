"""Small files are whole or as they were before, and there is one way to write them."""

import os
import re
import stat
from pathlib import Path

import pytest

from roadstead.process.files import write_durably
from tests.unit.drivers.pool.killing import killed_at

SOURCE = Path(__file__).parents[3] / "src/roadstead"
WRITES = re.compile(r'\.write_text\b|\.write_bytes\b|open\(.*"[wax]b?"|O_CREAT')
# What is no small file that anybody reads again, and so may be written as it comes.
OTHERS = {
    "agent/agent.py": "says that the agent is ready; what it holds is of no matter",
    "agent/only_one.py": "a lock",
    "conformance/filers.py": "a test's",
    "conformance/pool_basis.py": "a test's",
    "drivers/filer/ganesha/rules.py": "one change, for the server to read at once",
    "drivers/host/durable.py": "images",
    "drivers/host/netlink.py": "a setting of the kernel's",
    "drivers/host/nfs/library.py": "a tenant's files",
    "drivers/host/process.py": "a log",
    "drivers/network/segments/places.py": "what a namespace is mounted over",
    "process/files.py": "the one way",
    "up/preparation.py": "an empty database",
}


def test_nobody_writes_a_small_file_in_another_way():
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if WRITES.search(path.read_text())
    }
    assert found == OTHERS.keys()


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    happened: list[tuple[str, str, str]] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(fd: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)
        happened.append(("fsync", name.name, name.read_text() if name.is_file() else ""))

    def noted_rename(old: Path, new: Path) -> None:
        rename(old, new)
        happened.append(("rename", old.name, new.name))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    write_durably(tmp_path / "file", "text")
    assert happened == [
        ("fsync", ".file.tmp", "text"),
        ("rename", ".file.tmp", "file"),
        ("fsync", tmp_path.name, ""),
    ]


def test_a_killed_write_leaves_the_old_text_or_the_new_one(tmp_path: Path):
    path, step, seen = tmp_path / "file", 1, set[str]()
    path.write_text("old")
    while killed_at(step, lambda: write_durably(path, "new")):
        seen.add(path.read_text())
        step += 1
    assert seen == {"old", "new"}
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]  # what the killed ones left is gone by now


def test_a_failed_write_leaves_nothing(tmp_path: Path):
    path = tmp_path / "file"
    path.mkdir()  # nothing can be renamed to it
    with pytest.raises(IsADirectoryError):
        write_durably(path, "text")
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path: Path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / ".file.tmp").symlink_to("theirs")
    write_durably(tmp_path / "file", "text")
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path, mode: int):
    before = os.umask(0o077)
    try:
        write_durably(tmp_path / "file", "text", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_time_can_be_given(tmp_path: Path):
    write_durably(tmp_path / "file", "text", modified_at=1_000_000)
    assert (tmp_path / "file").stat().st_mtime == 1_000_000
