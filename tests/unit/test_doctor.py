"""The doctor: findings are facts, and the verdict follows from them."""

import json
import os
import socket

from roadstead import config as c
from roadstead import doctor
from roadstead import doctor_checks as checks
from roadstead.doctor_checks import Check


def _check(state: checks.State, road: str = "direct") -> Check:
    return Check(road=road, name="x", state=state, found="[f]", fix="do it")


def test_a_road_works_when_nothing_is_missing():
    assert doctor.works([_check("ok"), _check("warn"), _check("missing", "network")], "direct")
    assert not doctor.works([_check("ok"), _check("missing")], "direct")


def test_the_exit_code_is_about_the_direct_road(tmp_path, monkeypatch, capsys):
    config = c.load(None, {}, state=tmp_path)
    verdicts: list[tuple[checks.State, int]] = [("warn", 0), ("missing", 1)]
    for state, expected in verdicts:
        found = [_check(state), _check("missing", "gateway")]
        monkeypatch.setattr(doctor, "all_checks", lambda _config, found=found: found)
        assert doctor.run(config) == expected
        assert "do it" in capsys.readouterr().out
        assert doctor.run(config, as_json=True) == expected
        said = json.loads(capsys.readouterr().out)
        assert said["roads"]["direct"] is (expected == 0)
        assert said["checks"][0]["found"] == "[f]"


def test_every_road_is_looked_at_and_nothing_is_left_behind(tmp_path):
    found = checks.all_checks(c.load(None, {}, state=tmp_path))
    assert {check.road for check in found} == set(doctor.ROADS)
    assert all(check.fix for check in found if check.state == "missing")
    assert list(tmp_path.iterdir()) == []


def test_a_program_tells_its_version(tmp_path, monkeypatch):
    program = tmp_path / "thing"
    program.write_text("#!/bin/sh\necho thing release v4.3-rc1, 2024\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = checks.tool("direct", "thing", ["-v"], "get it")
    assert (found.state, found.found) == ("ok", "v4.3-rc1")
    assert checks.tool("direct", "no-such-thing", ["-v"], "get it").state == "missing"
    assert checks.tool("direct", "no-such-thing", ["-v"], "get it", need=False).state == "warn"


def test_a_taken_port_is_missing(tmp_path):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert checks.port_free("direct", "port", port, tmp_path).state == "missing"
    assert checks.port_free("direct", "port", port, tmp_path).state == "ok"


def test_absent_packages_are_named():
    found = checks.python_packages("direct", ("json", "no_such_package_here"))
    assert (found.state, found.found) == ("missing", "without no_such_package_here")
