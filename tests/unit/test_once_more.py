"""What `make test` does with failures; the real command, on small files of tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import unstable

ROOT = Path(__file__).parents[2]
MARKERS = "[pytest]\nmarkers =\n    " + "\n    ".join("real vm crash isolation conformance".split())
FAILS = "@pytest.mark.real\ndef test_{n}():\n    assert False\n"
# Fails beside others, that is, the first time.
ONCE = (
    "def test_{n}():\n"
    "    seen = pathlib.Path(__file__).with_suffix('.seen{n}')\n"
    "    if not seen.exists():\n        seen.touch()\n        assert False, 'the first time'\n"
)
UNSTABLE = "@pytest.mark.real\n" + ONCE


@pytest.fixture
def tests(tmp_path):
    def run(where, *bodies):
        (tmp_path / "pytest.ini").write_text(MARKERS)
        file = tmp_path / where / "test_it.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        for seen in file.parent.glob("*.seen*"):
            seen.unlink()
        whole = ["import pathlib\nimport pytest\n", *bodies]
        file.write_text("\n".join(body.format(n=n) for n, body in enumerate(whole, -1)))
        return subprocess.run(
            [sys.executable, "-m", "tests", "-q", "--strict-markers", f"{where}/test_it.py"],
            cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def kept(tmp_path):
    """The lines of the file."""

    def read():
        file = tmp_path / unstable.FILE
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    return read


def test_one_that_fails_in_the_real_world_and_passes_alone_is_told_and_kept(tests, kept):
    done = tests("tests/roads", UNSTABLE)
    assert done.returncode == 0
    assert "the first time" in done.stdout
    assert "!!! UNSTABLE" in done.stdout
    (line,) = kept()
    assert line["test"] == "tests/roads/test_it.py::test_0"
    assert "the first time" in line["failure"]
    assert f"!!!   {json.dumps(line)}" in done.stdout


def test_the_second_time_it_fails_the_run(tests, kept):
    tests("tests/roads", UNSTABLE)
    done = tests("tests/roads", UNSTABLE)
    assert done.returncode == 1
    assert "!!! UNSTABLE before" in done.stdout
    assert len(kept()) == 1


def test_with_other_parameters_it_is_the_same_test(tests, tmp_path):
    tests("tests/roads", UNSTABLE)
    of_one = (tmp_path / unstable.FILE).read_text().replace("::test_0", "::test_0[other]")
    (tmp_path / unstable.FILE).write_text(of_one)
    assert tests("tests/roads", UNSTABLE).returncode == 1


@pytest.mark.parametrize(
    ("where", "mark"),
    [
        ("tests/crash", "real"),
        ("tests/conformance", "real"),
        ("tests/roads", "crash"),
        ("tests/roads", "isolation"),
        ("tests/unit/drivers", "conformance"),
    ],
)
def test_what_must_not_fail_even_once_is_not_tried_again(tests, kept, where, mark):
    done = tests(where, f"@pytest.mark.{mark}\n{UNSTABLE}")
    assert (done.returncode, kept()) == (1, [])
    assert "!!!" not in done.stdout


def test_what_happens_in_memory_is_not_tried_again(tests, kept):
    done = tests("tests/unit", ONCE)
    assert (done.returncode, kept()) == (1, [])
    assert "!!!" not in done.stdout


def test_one_that_must_not_fail_keeps_the_others_from_a_second_try(tests, kept):
    assert tests("tests/roads", UNSTABLE, ONCE).returncode == 1
    assert kept() == []


def test_one_that_fails_alone_as_well_fails_the_run(tests, kept):
    done = tests("tests/roads", UNSTABLE, FAILS)
    assert (done.returncode, kept()) == (1, [])
    assert "UNSTABLE" not in done.stdout


def test_many_failures_are_not_tried_again(tests):
    done = tests("tests/roads", *[UNSTABLE] * 4)
    assert done.returncode == 1
    assert "!!!" not in done.stdout


def test_what_is_kept_of_a_failure_is_its_end(tmp_path):
    (line,) = unstable.keep(tmp_path, {"tests/a.py::test_b": "x" * 10_000 + "the end"})
    failure = json.loads(line)["failure"]
    assert len(failure) == unstable.MOST_CHARACTERS
    assert failure.endswith("the end")


def test_the_file_of_this_repository_can_be_read():
    assert (ROOT / unstable.FILE).exists()
    assert all(name.startswith("tests/") for name in unstable.known(ROOT))
