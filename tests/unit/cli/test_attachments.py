"""The commands of the hypervisor road: what a person types, and is told."""

import json
from collections.abc import Iterator

import pytest

from tests.factories import make_caller, make_share
from tests.unit.cli.serving import Run, commands
from tests.unit.ops.compute_world import STORAGE_ADDRESS, ComputeWorld, make_compute_world


@pytest.fixture
def cw(tmp_path) -> Iterator[ComputeWorld]:
    made = make_compute_world(f"sqlite:///{tmp_path}/db")
    yield made
    made.world.close()


@pytest.fixture
def run(cw: ComputeWorld) -> Iterator[Run]:
    with commands(cw.world.service) as typed:
        yield typed


@pytest.fixture
def far(tmp_path) -> Iterator[ComputeWorld]:
    """The compute host gets at shares over the network only."""
    made = make_compute_world(f"sqlite:///{tmp_path}/far", local=False)
    yield made
    made.world.close()


@pytest.fixture
def run_far(far: ComputeWorld) -> Iterator[Run]:
    with commands(far.world.service) as typed:
        yield typed


OWNER = make_caller()


def _share(cw: ComputeWorld, name: str = "photos"):
    return make_share(cw.world, OWNER, name=name)


def _vm(cw: ComputeWorld, name: str = "web", **more) -> str:
    vm = cw.hypervisor.add_guest(name, project_id=OWNER.project_id, **more)
    cw.report()
    return vm


def _only_attachment(run: Run) -> str:
    (found,) = json.loads(run("attachments", "--all-projects", "--json")[1])
    return found["id"]


def test_attach_ends_with_the_command_for_the_guest(cw, run):
    """H-I1, H-M1."""
    share, _ = _share(cw), _vm(cw)
    status, text = run("attach", "photos", "web")
    assert status == 0, text
    assert f"mount -t virtiofs {share.id} /mnt" in text
    for word in ("active", "rw", "cache never", "two guests, or a guest and the host"):
        assert word in text


def test_attach_passes_on_what_was_asked_for(cw, run):
    _share(cw)
    vm = _vm(cw, running=False)
    asked = ("--read-only", "--tag", "pics", "--driver", "9p", "--cache", "auto", "--json")
    status, text = run("attach", "photos", vm, *asked)
    found = json.loads(text)
    assert status == 0
    names = ("access_level", "tag", "driver", "cache", "state", "vm_name")
    assert [found[name] for name in names] == ["ro", "pics", "9p", "auto", "inactive", "web"]
    assert found["mount_command"].startswith("mount -t 9p -o ro,")


def test_a_cold_attachment_says_when_it_will_be_there(cw, run):
    _share(cw)
    _vm(cw, ports=0)
    status, text = run("attach", "photos", "web", "--cold")
    assert status == 0
    assert "from its next start on" in text


def test_every_missing_fact_is_a_line_and_its_fix_another(cw, run):
    """H-I4, H-I5."""
    _share(cw)
    _vm(cw, shared_memory=False)
    status, text = run("attach", "photos", "web")
    assert status == 1
    lines = text.splitlines()
    assert lines[0] == (
        "roadstead: VM web is running and the share cannot be plugged in now (409):"
    )
    facts = [line for line in lines if line.startswith("  - ")]
    fixes = [line for line in lines if line.startswith("    fix: ")]
    assert "shared memory" in facts[0]
    assert "9p devices cannot be plugged" in facts[1]
    assert "<memoryBacking>" in fixes[0]
    assert "--cold" in fixes[1]
    assert len(lines) == 5


def test_a_full_vm_is_told_of_ports(cw, run):
    _share(cw)
    _vm(cw, ports=0)
    status, text = run("attach", "photos", "web", "--driver", "virtiofs")
    assert status == 1
    assert text.splitlines()[1:] == [
        "  - no PCI Express port is free",
        "    fix: detach a device, define the VM with more pcie-root-port controllers, or attach "
        "it for the next start (--cold)",
    ]


def test_what_cannot_be_waited_for_any_more_is_an_error(cw, run):
    from roadstead.model.errors import DriverError

    _share(cw)
    _vm(cw)
    cw.hypervisor.fail["ensure_attached"] = DriverError("QEMU said no")
    status, text = run("attach", "photos", "web")
    assert status == 1
    assert "attachment.attach failed: QEMU said no" in text
    assert f"until `roadstead detach {_only_attachment(run)}`" in text
    assert "mount -t" not in text


def test_attachments_are_listed_and_taken_back_by_share_and_vm(cw, run):
    share = _share(cw)
    _vm(cw)
    run("attach", "photos", "web")
    status, text = run("attachments", "--share", "photos", "--all-projects")
    assert status == 0
    assert share.id in text
    assert run("attachments", "--vm", "other", "--all-projects", "--json")[1] == "[]\n"
    # its own project's only: the administrator has none
    assert run("attachments", "--json")[1] == "[]\n"
    status, text = run("detach", "photos", "web")
    assert status == 0
    assert "gone" in text
    assert run("attachments", "--all-projects", "--json")[1] == "[]\n"
    assert not list(cw.hypervisor.inventory())


def test_detach_by_id_and_without_waiting(cw, run):
    _share(cw)
    _vm(cw)
    run("attach", "photos", "web")
    status, text = run("detach", _only_attachment(run), "--no-wait", "--json")
    assert (status, json.loads(text)["state"]) == (0, "detaching")


def test_a_guest_that_keeps_its_9p_device_is_told_of_and_can_be_forced(cw, run):
    """H-I2."""
    _share(cw)
    vm = _vm(cw, running=False)
    run("attach", "photos", "web", "--driver", "9p")
    cw.hypervisor.start(vm)
    cw.look()
    status, text = run("detach", "photos", "web")
    assert status == 1
    assert "stays until the VM stops" in text
    assert "--force" in text
    cw.hypervisor.stop(vm)
    cw.settle()
    assert run("attachments", "--all-projects", "--json")[1] == "[]\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("detach", "photos"), "name an attachment by its id, or a share and a VM"),
        (("detach", "photos", "web"), "share 'photos' has no attachments to VM 'web'"),
        (("attach", "photos", "nobody"), "VM nobody could not be found"),
        (("explain", "photos", "--vm", "nobody"), "VM nobody could not be found"),
        (("explain", "photos", "--vm", "web", "--client", "10.0.0.1"), "not both"),
    ],
)
def test_a_refusal_is_told(cw, run, argv, told):
    _share(cw)
    _vm(cw)
    status, text = run(*argv)
    assert status == 1
    assert told in text


def test_vms_and_where_they_fit(cw, run):
    """H-M3, H-M4."""
    vm = _vm(cw, name="odd name")
    status, text = run("vms")
    assert status == 0
    assert vm in text
    assert "node1" in text
    status, text = run("vms", "--hosts", "odd name")
    assert status == 0
    assert [line.split() for line in text.splitlines()][1] == ["node1", "yes"]
    assert json.loads(run("vms", "--hosts", vm, "--json")[1])["compatible"] == ["node1"]


def test_explain_tells_the_way_into_a_vm(cw, run):
    """H-M1: device, cache, locks, host, mount, pool."""
    share = _share(cw)
    _vm(cw)
    status, text = run("explain", "photos", "--vm", "web")
    assert status == 0
    assert "web: not attached" in text
    assert "no device" in text
    run("attach", "photos", "web", "--read-only")
    found = json.loads(run("explain", "photos", "--vm", "web", "--json")[1])
    assert (found["road"], found["verdict"], found["level"]) == ("hypervisor", "attached", "ro")
    assert found["attachment"]["tag"] == share.id
    hops = {hop["name"]: hop for hop in found["hops"]}
    assert list(hops) == ["vm", "device", "cache", "locks", "host", "mount", "pool"]
    assert f"mount -t virtiofs -o ro {share.id} /mnt" in hops["device"]["what"]
    assert "virtiofsd 7.2.0 (c): two guests" in hops["locks"]["what"]
    assert hops["locks"]["ok"] is None
    assert "compute host node1" in hops["host"]["what"]
    assert "bound read-only" in hops["mount"]["what"]
    assert all(hop["ok"] is not False for hop in found["hops"])


def test_explain_tells_the_hosts_rule_where_it_mounts_over_the_network(far, run_far):
    """H-M1, H-I1."""
    share = _share(far)
    _vm(far)
    run_far("attach", "photos", "web", "--no-wait")
    far.settle()
    found = json.loads(run_far("explain", "photos", "--vm", "web", "--json")[1])
    hops = {hop["name"]: hop["what"] for hop in found["hops"]}
    names = ["vm", "device", "cache", "locks", "host", "mount", "rule", "export", "pool"]
    assert list(hops) == names
    assert f"192.0.2.1:/share-{share.instance_id}" in hops["mount"]
    assert f"admits {STORAGE_ADDRESS} at level rw" in hops["rule"]
    assert found["rule"]["access_to"] == STORAGE_ADDRESS


def test_explain_tells_that_a_daemon_is_dead(cw, run):
    """H-I12"""
    _share(cw)
    _vm(cw)
    run("attach", "photos", "web")
    cw.hypervisor.kill_daemon(_only_attachment(run))
    cw.look()
    found = json.loads(run("explain", "photos", "--vm", "web", "--json")[1])
    (broken,) = [hop for hop in found["hops"] if hop["ok"] is False]
    assert broken["name"] == "device"
    assert "stop and start the VM" in broken["what"]
