"""`roadstead operations`, `drift`, `gateways`: what is going on, told to a person."""

import json

from roadstead.model.errors import Transient
from tests.factories import make_caller, make_share


def test_operations(run, photos, world):
    world.pool.fail["extend_share"] = Transient("the disk is away")
    status, text = run("operations", "--share", "photos")
    assert status == 0
    assert [line.split()[1] for line in text.splitlines()] == ["verb", "share.create"]
    assert photos.id in text
    assert "2/2" in text
    (found,) = json.loads(run("operations", "--verb", "share.create", "--json")[1])
    assert [step["name"] for step in found["steps"]] == ["pool", "export"]
    assert run("operations", "--in", "failed", "-f", "value") == (0, "")


def test_a_state_that_there_is_not_is_no_empty_list(run):
    status, text = run("operations", "--in", "error")
    assert status == 2
    assert "undoing" in text


def test_an_operation_that_waits_tells_its_step_and_why(run, world):
    world.export.fail["ensure_export"] = Transient("the server is away")
    make_share(world, make_caller(), name="stuck")
    line = run("operations", "--share", "stuck")[1].splitlines()[1]
    assert "1/2 export" in line
    assert "the server is away" in line


def test_drift(run, photos, world):
    world.pool.ensure_share_absent(photos.instance_id)
    world.sweep.run()
    status, text = run("drift")
    assert status == 0
    assert "set to error" in text


def test_no_gateways(run):
    assert json.loads(run("gateways", "--json")[1]) == []
