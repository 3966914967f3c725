"""Tests that failed beside others and passed alone, kept in the repository for the next reader.

`.ci/unstable.jsonl` has a line for each: the test, the commit, the date, and the end of its first
failure. Who commits that line has seen it; a test that has one is not tried again. Who mends the
test, or what it tests, takes its line out in the same commit.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

FILE = Path(".ci/unstable.jsonl")
MOST_CHARACTERS = 2000


def name_of(test: str) -> str:
    """The node id without parameters: what fails with one of them is the same test."""
    return test.partition("[")[0]


def known(root: Path) -> set[str]:
    """Names of the tests that have a line. ValueError when a line is not ours."""
    path = root / FILE
    lines = path.read_text().splitlines() if path.exists() else []
    return {name_of(json.loads(line)["test"]) for line in lines if line}


def keep(root: Path, failures: Mapping[str, str]) -> list[str]:
    """Each test has its line in the file, with the end of its failure; returns these lines."""
    seen = {"commit": _commit(root), "date": datetime.datetime.now(datetime.UTC).date().isoformat()}
    lines = [
        json.dumps({"test": test, **seen, "failure": text[-MOST_CHARACTERS:]})
        for test, text in failures.items()
    ]
    path = root / FILE
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    return lines


def _commit(root: Path) -> str:
    """What is checked out there; "" where that cannot be told."""
    asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout.strip()
