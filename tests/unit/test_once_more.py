"""What `make test` does with failures; the real command, on small files of tests."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILS = "def test_{n}():\n    assert False\n"
# Fails beside others, that is, the first time.
UNSTABLE = (
    "import pathlib\n\ndef test_{n}():\n"
    "    seen = pathlib.Path(__file__).with_suffix('.seen{n}')\n"
    "    if not seen.exists():\n        seen.touch()\n        assert False, 'the first time'\n"
)


@pytest.fixture
def tests(tmp_path):
    def run(where, *bodies):
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        file = tmp_path / where / "test_it.py"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(body.format(n=n) for n, body in enumerate(bodies)))
        return subprocess.run(
            [sys.executable, "-m", "tests", "-q", f"{where}/test_it.py"],
            cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_a_failure_among_living_processes_that_passes_alone_is_told(tests):
    done = tests("tests/roads", UNSTABLE)
    assert done.returncode == 0
    assert "the first time" in done.stdout
    assert "!!! UNSTABLE" in done.stdout
    assert "!!!   tests/roads/test_it.py::test_0" in done.stdout


def test_one_that_fails_alone_as_well_fails_the_run(tests):
    done = tests("tests/roads", UNSTABLE, FAILS)
    assert done.returncode == 1
    assert "UNSTABLE" not in done.stdout


@pytest.mark.parametrize(("where", "count"), [("tests/unit", 1), ("tests/roads", 4)])
def test_our_own_functions_and_many_failures_are_not_tried_again(tests, where, count):
    done = tests(where, *[UNSTABLE] * count)
    assert done.returncode == 1
    assert "!!!" not in done.stdout
