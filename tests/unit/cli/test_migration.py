"""`roadstead prepare-migration`: what a person types, and is told."""

import json
from collections.abc import Iterator

import pytest

from roadstead.model.errors import DriverError
from tests.factories import HOST, make_caller, make_share
from tests.unit.cli.serving import Run, commands
from tests.unit.ops.two_hosts import TARGET, TwoHosts, make_two_hosts


@pytest.fixture
def two(tmp_path) -> Iterator[TwoHosts]:
    """Both get at shares without an export."""
    made = make_two_hosts(f"sqlite:///{tmp_path}/db", local_mounts=True)
    caller = make_caller()
    made.source.hypervisor.add_guest("web", project_id=caller.project_id)
    made.look()
    made.attach(caller, make_share(made.world, caller), "web")
    made.look()
    yield made
    made.world.close()


@pytest.fixture
def run(two: TwoHosts) -> Iterator[Run]:
    with commands(two.world.service) as typed:
        yield typed


def test_a_host_is_prepared_and_given_up(run, two):
    code, output = run("prepare-migration", "web", TARGET)
    assert code == 0, output
    assert "done" in output
    assert two.target.marks() == ["bind", "mount"]
    code, output = run("prepare-migration", "web", "--cancel", "--json")
    assert code == 0, output
    found = json.loads(output)
    assert (found["source_host"], found["host"]) == (HOST, None)
    assert [each["target_host"] for each in found["attachments"]] == [None]
    two.look()
    assert two.target.marks() == []


def test_what_fails_is_told(run, two):
    two.target.mounts.fail["ensure_mounted"] = DriverError("no such server")
    code, output = run("prepare-migration", "web", TARGET)
    assert code != 0
    assert "no such server" in output
    assert "1 of 1 are not ready" in output


def test_what_stands_against_it_is_told(run, two):
    assert "already" in run("prepare-migration", "web", HOST)[1]
    assert "node9" in run("prepare-migration", "web", "node9")[1]
    assert "name the host" in run("prepare-migration", "web")[1]
    code, output = run("vms", "--hosts", "web")
    assert code == 0
    assert TARGET in output
