"""Who gets at a share of the real NFS-Ganesha, at once and when that changes."""

from __future__ import annotations

import ipaddress
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.exports import ref
from roadstead.model import world as w
from roadstead.model.ids import pseudo_path
from tests.conformance.ganesha_bench import (
    CONTENT,
    FAR,
    NEAR,
    SIBLING,
    opened,
    rule,
    until_refused,
)
from tests.lab.nfs4 import NfsError

if TYPE_CHECKING:
    from roadstead.conformance.exports import ExportBench
    from tests.conformance.ganesha_bench import GaneshaLab

pytestmark = [pytest.mark.isolation, pytest.mark.real, pytest.mark.xdist_group("ganesha")]

BOUND = 1.0  # seconds in which a revoked client is cut off (D-I5)


class TestAccess:
    # D-I5
    def test_a_revoked_client_loses_what_it_has_open(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        spec = bench.exported(rule(NEAR), rule(SIBLING))
        with lab.client(NEAR) as client, lab.client(SIBLING) as other:
            file, others = opened(client, spec), opened(other, spec)
            reading = threading.Event()
            cut: list[tuple[str, float]] = []
            asked: list[float] = []

            def again() -> None:
                asked.append(time.monotonic())
                client.read(file, 0, 100)

            def read() -> None:
                assert client.read(file, 0, 100) == CONTENT
                reading.set()
                status, _ = until_refused(again)
                cut.append((status, time.monotonic()))

            reader = threading.Thread(target=read)
            reader.start()
            assert reading.wait(5)
            began = time.monotonic()
            bench.allow(spec, [rule(SIBLING)])
            returned = time.monotonic()
            reader.join(5)
            assert [status for status, _ in cut] == ["ACCESS"]
            assert cut[0][1] - began < BOUND
            # In force when the call returns: whoever asks after that is not answered.
            assert [when for when in asked[:-1] if when > returned] == []
            assert other.read(others, 0, 100) == CONTENT

    # D-S4
    def test_a_writer_made_a_reader_writes_no_more(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        spec = bench.exported(rule(NEAR))
        with lab.client() as client:
            file = opened(client, spec, write=True)
            assert client.write(file, 0, CONTENT) == len(CONTENT)
            bench.allow(spec, [rule(NEAR, "ro")])
            status, seconds = until_refused(lambda: client.write(file, 0, b"changed"))
            assert status == "ROFS"
            assert seconds < BOUND
            assert client.read(file, 0, 100) == CONTENT

    #
    def test_a_denied_client_is_told_at_once(self, lab: GaneshaLab, bench: ExportBench) -> None:
        spec = bench.exported(rule(NEAR))
        with lab.client(FAR) as client:
            began = time.monotonic()
            with pytest.raises(NfsError) as refusal:
                client.lookup(pseudo_path(spec.instance_id))
            assert refusal.value.status_name == "NOENT"
            assert time.monotonic() - began < BOUND
            # Nor does it learn what else is there.
            assert [entry.name for entry in client.readdir(client.lookup("/"))] == []

    # D-S3
    def test_changes_do_not_disturb_other_clients(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        kept, changing = bench.exported(rule(NEAR)), bench.exported(rule(NEAR))
        done = threading.Event()

        def change() -> None:
            for number in range(50):
                bench.allow(changing, [rule(NEAR, ("ro", "rw")[number % 2])])
                bench.driver.ensure_export_absent(ref(bench.exported(rule(SIBLING))))
            done.set()

        changer = threading.Thread(target=change)
        with lab.client() as client:
            file = opened(client, kept, write=True)
            changer.start()
            slowest = 0.0
            while not done.is_set():
                began = time.monotonic()
                client.write(file, 0, CONTENT)
                assert client.read(file, 0, 100) == CONTENT
                slowest = max(slowest, time.monotonic() - began)
            changer.join()
        assert slowest < BOUND

    def test_sessions_are_those_of_admitted_clients(
        self, lab: GaneshaLab, bench: ExportBench
    ) -> None:
        spec, other = bench.exported(rule(NEAR)), bench.exported(rule(FAR))
        with lab.client() as client:
            opened(client, spec)
            assert bench.driver.sessions(ref(spec)) == [w.Session(client=NEAR)]
            assert bench.driver.sessions(ref(other)) == []
            bench.allow(spec, [])
            assert bench.driver.sessions(ref(spec)) == []

    # D-I3
    def test_every_kind_of_network_is_read_as_it_was_meant(self, bench: ExportBench) -> None:
        chance = random.Random(1)
        networks = [
            ipaddress.ip_network((chance.getrandbits(size), length), strict=False)
            for size, length in [(32, n) for n in range(33)] + [(128, n) for n in range(129)]
        ]
        sparse = ["::", "::1", "1::", "0:1::", "1:0:0:2::", "::1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0"]
        networks += [ipaddress.ip_network(address) for address in sparse]
        problems = bench.allow(bench.exported(), [rule(str(network)) for network in networks])
        refused = [n.prefixlen for n, problem in zip(networks, problems, strict=True) if problem]
        assert refused == list(range(100, 120))
        (mark,) = bench.found().values()
        assert mark.broken is None
