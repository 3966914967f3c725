"""D-I8, D-I5: `explain` and `probe` tell what clients really get, with a real export server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.drivers.host import process
from roadstead.model.ids import bus_prefix
from tests.lab import nfs4
from tests.live.service import Roadstead
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.fixtures import SegmentFactory
    from tests.lab.segment import ClientNs, Segment

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("roads-explain")]


@pytest.fixture(scope="module")
def segment(segment_factory: SegmentFactory) -> Segment:
    return segment_factory()


@pytest.fixture(scope="module")
def service(segment: Segment) -> Iterator[Roadstead]:
    # Its one sweep is that of each start: a probe must see what was broken before it is mended.
    with Roadstead(segment, settings={"sweep_interval_seconds": 3600}) as service:
        yield service


@pytest.fixture
def share_id(service: Roadstead) -> Iterator[str]:
    api = service.api()
    share = api.create_share()
    yield share["id"]
    api.delete_share(share["id"])


def _command(service: Roadstead, *argv: str) -> tuple[int, Any]:
    """Exit status and JSON output of a command of ours."""
    words = ("roadstead", *argv, "--json", "--state", str(service.state))
    done = service.run(*words, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _probe(service: Roadstead, share_id: str) -> Any:
    status, found = _command(service, "probe", share_id)
    assert status == (0 if found["verdict"] == "good" else 1)
    return found


def _bus(service: Roadstead) -> contextlib.closing[GaneshaBus]:
    socket = service.state / "run/exports/local/bus.sock"
    return contextlib.closing(GaneshaBus(socket, bus_prefix("host-local")))


def _in_force(service: Roadstead, share_id: str) -> set[str]:
    """The client entries of the share's export in the running server's own words."""
    with _bus(service) as bus:
        return {client for client, _level in _entries(bus, _export_id(service, share_id))}


def _entries(bus: GaneshaBus, export_id: int) -> list[tuple[str, str]]:
    from roadstead.drivers.ganesha.live import find_live

    live = find_live(bus, export_id)
    assert live is not None
    return list(live.clients)


def _export_id(service: Roadstead, share_id: str) -> int:
    pseudo = service.api().paths(share_id)[0].rpartition(":")[2]
    with _bus(service) as bus:
        return next(n for n, path in bus.show_exports().items() if path == pseudo)


def _sweep(service: Roadstead) -> None:
    """An agent has started and swept once."""
    service.kill_agent()
    until(lambda: service.agent_pid, "another agent is ready", why=service.log.read_text)


def _sees(client: ClientNs, segment: Segment, pseudo: str) -> bool:
    with nfs4.Client(segment.server, netns=client.netns) as session:
        try:
            return bool(session.lookup(pseudo))
        except nfs4.NfsError as refused:
            if refused.status_name != "NOENT":
                raise
            return False


def test_explain_says_what_clients_get(service: Roadstead, segment: Segment, share_id: str) -> None:
    friend, stranger = segment.client_ns(), segment.client_ns()
    api = service.api()
    api.allow(share_id, f"{friend.ip}/32", "ro")
    api.allow(share_id, friend.ip6)
    pseudo = api.paths(share_id)[0].rpartition(":")[2]
    for client, admitted in ((friend, True), (stranger, False)):
        _, found = _command(service, "explain", share_id, "--client", client.ip)
        assert found["verdict"] == ("admitted" if admitted else "refused")
        assert _sees(client, segment, pseudo) == admitted
    _, found = _command(service, "explain", share_id, "--client", friend.ip)
    assert (found["rule"]["access_to"], found["level"]) == (f"{friend.ip}/32", "ro")
    _, six = _command(service, "explain", share_id, "--client", friend.ip6)
    assert six["level"] == "rw"
    assert set(found["addresses"]) == {segment.server, segment.server6}
    assert set(found["paths"]) == set(api.paths(share_id))
    # D-M1
    assert found["isolation"] == "acl"
    assert found["backend"] == "node1@local#image"
    assert found["last_probe"] is None
    probed = _probe(service, share_id)
    _, found = _command(service, "explain", share_id)
    assert found["last_probe"] == probed


def test_a_probe_is_refused_and_admitted_and_leaves_the_rules(
    service: Roadstead, segment: Segment, share_id: str
) -> None:
    client = segment.client_ns()
    service.api().allow(share_id, client.ip)
    before = _in_force(service, share_id)
    found = _probe(service, share_id)
    assert (found["verdict"], found["problem"]) == ("good", None)
    seen = [(a["server"], a["source"], a["outcome"], a["nfs_status"]) for a in found["attempts"]]
    assert seen == [
        (segment.server, "127.0.0.2", "refused", "NFS4ERR_NOENT"),
        (segment.server6, "::1", "refused", "NFS4ERR_NOENT"),
        (segment.server, "127.0.0.3", "admitted", "NFS4_OK"),
        (segment.server6, "::1", "admitted", "NFS4_OK"),
    ]
    assert all(attempt["milliseconds"] > 0 for attempt in found["attempts"])
    assert _in_force(service, share_id) == before
    assert service.api().share(share_id)["status"] == "available"


def test_a_client_at_work_does_not_notice_a_probe(
    service: Roadstead, segment: Segment, share_id: str
) -> None:
    client = segment.client_ns()
    api = service.api()
    api.allow(share_id, client.ip)
    pseudo = api.paths(share_id)[0].rpartition(":")[2]
    with nfs4.Client(segment.server, netns=client.netns) as session:
        root = session.lookup(pseudo)
        file = session.open(root, "log", write=True, create=True)
        for number in range(5):
            assert _probe(service, share_id)["verdict"] == "good"
            session.write(file, number, b"x")
        assert session.read(file, 0, 10) == b"xxxxx"
        session.close_file(file)


def test_an_export_removed_by_hand_is_told_until_the_sweep(
    service: Roadstead, share_id: str
) -> None:
    with _bus(service) as bus:
        bus.remove_export(_export_id(service, share_id))
    found = _probe(service, share_id)
    assert found["verdict"] == "broken"
    assert "not served" in found["problem"]
    # Told, not mended.
    assert _probe(service, share_id)["verdict"] == "broken"
    _sweep(service)
    assert _probe(service, share_id)["verdict"] == "good"


def test_a_dead_server_is_told_until_the_sweep(service: Roadstead, share_id: str) -> None:
    with _bus(service) as bus:
        pid = bus.pid()
    process.end(pid, patience=0.0)
    assert not process.is_running(pid)
    assert _probe(service, share_id)["verdict"] == "broken"
    _sweep(service)
    assert _probe(service, share_id)["verdict"] == "good"


def test_a_hung_server_is_told(service: Roadstead, share_id: str) -> None:
    with _bus(service) as bus:
        pid = bus.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        found = _probe(service, share_id)
        assert found["verdict"] == "broken"
        assert "does not answer" in found["problem"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert _probe(service, share_id)["verdict"] == "good"


def test_what_happened_is_listed(service: Roadstead, share_id: str) -> None:
    _probe(service, share_id)
    _, found = _command(service, "operations", "--share", share_id)
    assert [(o["verb"], o["state"]) for o in found] == [
        ("share.probe", "done"),
        ("share.create", "done"),
    ]
    assert found[1]["steps_done"] == ["pool", "export"]
    status, _ = _command(service, "drift")
    assert status == 0
