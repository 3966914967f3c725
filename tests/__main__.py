"""`python -m tests ARGS`: pytest, and once more, alone, what failed among living processes.

Hundreds of tests drive kernels, VMs and servers beside each other on two cores, on machines that
nobody has seen yet. One that fails there and passes alone is told, loudly and with its first
failure in full, and does not fail the run; more than a few do, and so does every test of our own
functions.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

MOST = 3
_LIVING = frozenset(("real", "vm", "pg"))


class Failures:
    """Keeps what failed: {node id: whether it depends on other processes}."""

    def __init__(self) -> None:
        self.found: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            ours = report.nodeid.startswith("tests/unit/") and not _LIVING & set(report.keywords)
            self.found[report.nodeid] = not ours

    def worth_trying(self, code: int) -> list[str]:
        """What to run again; nothing when that could not make the run good."""
        if code != pytest.ExitCode.TESTS_FAILED or not self.found or len(self.found) > MOST:
            return []
        return list(self.found) if all(self.found.values()) else []


def main(args: list[str]) -> int:
    """The exit code of the run, or 0 when all that failed passed alone."""
    failures = Failures()
    code = int(pytest.main(args, plugins=[failures]))
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
    return 0


def _say(what: str, tests: list[str]) -> None:
    print("", f"!!! {what}", *(f"!!!   {test}" for test in tests), "", sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
