"""The real NFS-Ganesha outlives the agent, and comes back when it dies itself."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import ref
from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.drivers.host import process
from roadstead.model import world as w
from roadstead.model.errors import Transient
from tests.conformance.ganesha_bench import CONTENT, FAR, NEAR, kill, opened, rule, until_refused
from tests.lab.netns import add_netns, ip, remove_netns
from tests.lab.nfs4 import Client, NfsError
from tests.waiting import until

if TYPE_CHECKING:
    from roadstead.conformance.exports import ExportBench
    from roadstead.drivers.base.export import ExportServer
    from tests.conformance.ganesha_bench import GaneshaLab

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("ganesha")]


class TestAgentRestart:
    # D-M4
    def test_a_new_agent_adopts_the_server(self, lab: GaneshaLab, bench: ExportBench) -> None:
        spec = bench.exported(rule(NEAR))
        before = lab.pid(bench.place)
        with lab.client() as client:
            file = opened(client, spec, write=True)
            agent = lab.driver()
            agent.ensure_server(bench.place)
            agent.ensure_export(spec)
            assert lab.pid(bench.place) == before
            assert client.write(file, 0, CONTENT) == len(CONTENT)
            assert [mark.broken for mark in agent.inventory(bench.place)] == [None]
            agent.ensure_access(ref(spec), [])
            assert until_refused(lambda: client.read(file, 0, 1))[0] == "ACCESS"

    def test_the_server_is_no_child_of_the_agent(self, lab: GaneshaLab, bench: ExportBench) -> None:
        server, bus = lab.pid(bench.place), str(lab.root / "run" / "bus.conf")
        (daemon,) = process.find(["dbus-daemon"], f"--config-file={bus}")
        # A signal to the agent's process group or terminal does not reach them.
        assert os.getsid(server) == server
        assert os.getsid(daemon) == daemon

    def test_a_server_just_being_started_is_not_started_twice(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        bench.exported(rule(NEAR))
        before = lab.pid(bench.place)
        os.kill(before, signal.SIGSTOP)
        waking = threading.Timer(0.3, os.kill, (before, signal.SIGCONT))
        waking.start()
        lab.driver().ensure_server(bench.place)
        waking.join()
        assert lab.pid(bench.place) == before

    @pytest.mark.parametrize("call", ["add_export", "update_export", "remove_export"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_what_was_half_done_can_be_repeated(
        self,
        lab: GaneshaLab,
        bench: ExportBench,
        monkeypatch: pytest.MonkeyPatch,
        call: str,
        when: str,
    ) -> None:
        class KilledError(BaseException):
            pass

        def all_steps(driver: ExportServer) -> None:
            driver.ensure_export(spec)
            driver.ensure_access(ref(spec), [rule(NEAR)])
            assert lab.level_of(NEAR, spec) == "rw"
            driver.ensure_export_absent(ref(spec))

        real = getattr(GaneshaBus, call)

        def killed(self: GaneshaBus, *words: object) -> None:
            if when == "after":
                real(self, *words)
            raise KilledError

        spec = bench.spec()
        with monkeypatch.context() as patch:
            patch.setattr(GaneshaBus, call, killed)
            with pytest.raises(KilledError):
                all_steps(bench.driver)
        agent = lab.driver()
        all_steps(agent)
        assert list(agent.inventory(bench.place)) == []
        assert not lab.file(spec).exists()


class TestHealing:
    def test_a_killed_server_serves_the_same_again(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        specs = [bench.exported(rule(NEAR), rule("0.0.0.0/0", "ro")) for _ in range(3)]
        before, first = bench.found(), lab.pid(bench.place)
        kill(first)
        assert {mark.broken for mark in bench.found().values()} == {"not served"}
        with pytest.raises(Transient):
            bench.driver.ensure_export(specs[0])
        # Files can be cleared away all the same.
        bench.driver.ensure_export_absent(ref(specs[2]))
        bench.driver.ensure_server(bench.place)
        assert lab.pid(bench.place) != first
        del before[specs[2].instance_id]
        assert bench.found() == before
        assert [lab.level_of(FAR, spec) for spec in specs] == ["ro", "ro", None]

    def test_a_dead_bus_takes_the_servers_along_and_both_come_back(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        bench.exported(rule(NEAR))
        before, server = bench.found(), lab.pid(bench.place)
        (daemon,) = lab.bus_daemon()
        kill(daemon)
        until(lambda: not process.is_running(server), "the server has ended", seconds=5)
        bench.driver.ensure_server(bench.place)
        assert bench.found() == before

    def test_a_server_that_hangs_is_replaced(
        self, lab: GaneshaLab, bench: ExportBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = bench.exported(rule(NEAR))
        before = lab.pid(bench.place)
        for module, limit in (
            ("ganesha.bus._CALL_LIMIT", 0.3),
            ("export.ganesha.server._ADOPT_LIMIT", 0.3),
            ("export.ganesha.server._STOP_PATIENCE", 0.1),
        ):
            monkeypatch.setattr(f"roadstead.drivers.{module}", limit)
        os.kill(before, signal.SIGSTOP)
        with pytest.raises(Transient):
            bench.driver.ensure_access(ref(spec), [])
        bench.driver.ensure_server(bench.place)
        assert lab.pid(bench.place) != before
        # What was asked for meanwhile holds.
        assert lab.level_of(NEAR, spec) is None

    # D-M4
    def test_only_a_restart_that_had_clients_waits_for_them(self, lab: GaneshaLab) -> None:
        bench = lab.bench(lab.driver(lease_seconds=2))
        spec = bench.exported(rule(NEAR))
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(lab.client())
            opened(client, spec)  # the first start has nobody to wait for: no GRACE
            kill(lab.pid(bench.place), signal.SIGTERM)
            bench.driver.ensure_server(bench.place)
            newcomer = stack.enter_context(lab.client())
            with pytest.raises(NfsError) as refusal:
                opened(newcomer, spec)
            assert refusal.value.status_name == "GRACE"
            until(lambda: _opens(newcomer, spec), "its grace period ends", seconds=10)
        bench.driver.ensure_server_absent(bench.place)

    def test_a_namespace_made_anew_gets_a_new_server(self, lab: GaneshaLab) -> None:
        name = f"{lab.netns}-two"
        place = w.Place(id="two", netns=name)
        driver = lab.driver()
        with pytest.raises(Transient, match=f"{name} is not there"):
            driver.ensure_server(place)
        add_netns(name)
        try:
            driver.ensure_server(place)
            first = lab.pid(place)
            ip("netns", "delete", name)
            add_netns(name)
            driver.ensure_server(place)
            assert lab.pid(place) != first
            assert ip("netns", "pids", name).split() == [str(lab.pid(place))]
        finally:
            driver.ensure_server_absent(place)
            remove_netns(name)


def _opens(client: Client, spec: w.ExportSpec) -> bool:
    try:
        opened(client, spec)
    except NfsError:
        return False
    return True
