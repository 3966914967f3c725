"""`python -m tests ARGS`: pytest, and once more, alone, what failed in the real world.

Hundreds of tests drive kernels, VMs and servers beside each other on two cores, on machines that
nobody has seen yet. One that fails there and passes alone is told, loudly and with its first
failure in full, is kept in `.ci/unstable.jsonl`, and does not fail the run: once. More than a few
do, and so does one that is in that file already. A suite that must not fail even once is never
tried again: what a crash leaves behind, what one tenant gets of another, what a driver promises,
and all that happens in our own memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import unstable

MOST = 3
_LIVING = frozenset(("real", "vm"))
_NEVER = frozenset(("crash", "isolation", "conformance"))
_SUITES = ("tests/crash/", "tests/conformance/")


class Failures:
    """Keeps what failed, and how: {node id: its first failure}."""

    def __init__(self) -> None:
        self.root = Path()
        self.found: dict[str, str] = {}
        self._fatal: set[str] = set()

    def pytest_configure(self, config: pytest.Config) -> None:
        self.root = config.rootpath

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.found.setdefault(report.nodeid, report.longreprtext)
            if not may_be_tried_again(report.nodeid, set(report.keywords)):
                self._fatal.add(report.nodeid)

    def worth_trying(self, code: int) -> list[str]:
        """What to run again; nothing when that could not make the run good."""
        if code != pytest.ExitCode.TESTS_FAILED or not self.found or len(self.found) > MOST:
            return []
        return [] if self._fatal or self.twice() else list(self.found)

    def twice(self) -> list[str]:
        """What failed and has been unstable before."""
        known = unstable.known(self.root)
        return [test for test in self.found if unstable.name_of(test) in known]


def may_be_tried_again(test: str, keywords: set[str]) -> bool:
    """True when the world may have been to blame, and one failure of it loses nobody's bytes."""
    return bool(_LIVING & keywords) and not (_NEVER & keywords or test.startswith(_SUITES))


def main(args: list[str]) -> int:
    """The exit code of the run, or 0 when all that failed passed alone, for the first time."""
    failures = Failures()
    code = int(pytest.main(args, plugins=[failures]))
    if twice := failures.twice():
        _say(f"UNSTABLE before, and not tried again ({unstable.FILE}):", twice)
    again = failures.worth_trying(code)
    if not again:
        return code
    _say("once more, alone:", again)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *again]
    alone = subprocess.run(command, check=False)
    if alone.returncode != 0:
        _say("FAILED, beside others and alone:", again)
        return code
    _say("UNSTABLE: failed beside others, passed alone; please look at the failure above:", again)
    _say(f"to be committed in {unstable.FILE}:", unstable.keep(failures.root, failures.found))
    return 0


def _say(what: str, lines: list[str]) -> None:
    print("", f"!!! {what}", *(f"!!!   {line}" for line in lines), "", sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
