"""Prints a key of everything in pyproject.toml that decides which packages are locked.

`--check FILE` exits 1, silently, unless FILE's first line holds that key.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lock_key() -> str:
    tables = tomllib.loads(PYPROJECT.read_text())
    project = tables["project"]
    names = ("requires-python", "dependencies", "optional-dependencies")
    wanted = [[project.get(name) for name in names], tables.get("dependency-groups")]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--check", path]:
            with Path(path).open() as lock:
                sys.exit(lock_key() not in lock.readline())
        case []:
            print(lock_key())
        case _:
            sys.exit(__doc__)
