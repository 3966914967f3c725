"""What was changed behind the back of the real NFS-Ganesha is seen and put right."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import ref
from roadstead.model import world as w
from roadstead.model.errors import DriverError, Transient
from tests.conformance.ganesha_bench import CONTENT, FAR, NEAR, opened, rule, until_refused

if TYPE_CHECKING:
    from roadstead.conformance.exports import ExportBench
    from tests.conformance.ganesha_bench import GaneshaLab

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("ganesha")]


class TestDrift:
    def test_what_was_removed_by_hand_is_served_again(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        first, second = bench.exported(rule(NEAR)), bench.exported(rule(NEAR, "ro"))
        before = bench.found()
        for spec in (first, second):
            lab.bus(bench.place).remove_export(spec.export_id)
        assert {mark.broken for mark in bench.found().values()} == {"not served"}
        bench.driver.ensure_export(first)
        assert lab.level_of(NEAR, first) == "rw"
        bench.driver.ensure_server(bench.place)
        assert lab.level_of(NEAR, second) == "ro"
        assert bench.found() == before

    def test_an_export_whose_file_is_lost_is_kept_by_its_owner_only(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        first, second = bench.exported(rule(NEAR)), bench.exported(rule(NEAR))
        before = bench.found()
        for spec in (first, second):
            lab.file(spec).unlink()
        assert {mark.broken for mark in bench.found().values()} == {"no file"}
        bench.driver.ensure_export(first)
        assert bench.found()[first.instance_id] == before[first.instance_id]
        bench.driver.ensure_server(bench.place)
        assert list(bench.found()) == [first.instance_id]

    def test_clients_let_in_by_hand_are_put_out(self, lab: GaneshaLab, bench: ExportBench) -> None:
        spec = bench.exported(rule(NEAR))
        before, file = bench.found(), lab.file(spec)
        other = lab.root / "by-hand.conf"
        other.write_text(file.read_text().replace(NEAR, f"{NEAR}, {FAR}"))
        lab.bus(bench.place).update_export(other, spec.export_id)
        assert lab.level_of(FAR, spec) == "rw"
        assert bench.found()[spec.instance_id].broken == "other clients are admitted"
        bench.driver.ensure_server(bench.place)
        assert lab.level_of(FAR, spec) is None
        assert bench.found() == before

    def test_what_is_not_mounted_is_not_served(self, lab: GaneshaLab) -> None:
        driver = lab.driver(require_mount=True)
        bench = lab.bench(driver)
        spec = bench.spec()
        with pytest.raises(Transient, match="is not mounted"):
            driver.ensure_export(spec)
        assert bench.found() == {}
        mount(spec.path)
        try:
            Path(spec.path, "file").write_bytes(CONTENT)
            driver.ensure_export(spec)
            bench.allow(spec, [rule(NEAR)])
            with lab.client() as client:
                file = opened(client, spec)
                assert client.read(file, 0, 100) == CONTENT
                driver.ensure_export_absent(ref(spec))
                assert until_refused(lambda: client.read(file, 0, 1))[0] in ("STALE", "BADHANDLE")
                # Nothing of the server holds the file system, though the file was open.
                umount(spec.path)
            mount(spec.path)
            driver.ensure_export(spec)
        finally:
            driver.ensure_stopped(bench.place)
            umount(spec.path)
        driver.ensure_server(bench.place)
        assert bench.found()[spec.instance_id].broken == "not served"
        driver.ensure_server_absent(bench.place)

    def test_what_the_server_refuses_leaves_nothing(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        good = bench.exported(rule(NEAR))
        with pytest.raises(DriverError):
            bench.driver.ensure_export(bench.spec(path="/proc/self"))
        quoted = Path(bench.make_path(), '"; Access_Type = RW; #')
        quoted.mkdir()
        with pytest.raises(DriverError):
            bench.driver.ensure_export(bench.spec(path=str(quoted)))
        assert list(bench.found()) == [good.instance_id]
        assert len(list(lab.file(good).parent.iterdir())) == 1
        bench.driver.ensure_server(bench.place)
        assert lab.level_of(NEAR, good) == "rw"

    def test_a_start_that_fails_says_why(self, lab: GaneshaLab, bench: ExportBench) -> None:
        taken = w.Place(id="taken", netns=lab.netns)
        with pytest.raises(Transient, match=r"did not start: (?s:.*)bind"):
            lab.driver().ensure_server(taken)
        lab.driver().ensure_server_absent(taken)
        assert lab.level_of(NEAR, bench.exported(rule(NEAR))) == "rw"


def mount(path: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "rs-test", path], check=True)


def umount(path: str) -> None:
    subprocess.run(["umount", path], check=True)
