"""docs/ARCHITECTURE.md names functions that are there."""

import re

import pytest

from tests.unit.docs.pages import DOCS, ROOT, SOURCE, names_in, rows, where

_PAGE = "ARCHITECTURE.md"
_WHOLE = (DOCS / _PAGE).read_text()
# `path: name`, and more names of the same file after it.
_NAMED = re.compile(r"`([\w/]+\.py): ([\w.]+)`((?:, `_?[A-Za-z][\w.]*`)*)")
_TABLES = ("One request", "The sweep", "Where what happens")


def _named(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path, first, others in _NAMED.findall(text):
        found += [(path, name) for name in [first, *re.findall(r"[\w.]+", others)]]
    return found


@pytest.mark.parametrize(("path", "name"), sorted(set(_named(_WHOLE))))
def test_a_function_is_there(path: str, name: str):
    file = SOURCE / path
    assert file.is_file(), f"{path} is not there; {name} is in {where(name)}"
    assert name in names_in(file), f"{path} has no {name}; it is in {where(name)}"


@pytest.mark.parametrize("heading", _TABLES)
def test_every_row_names_one(heading: str):
    bare = [row for row in rows(_PAGE, heading) if not _named(" | ".join(row))]
    assert bare == []


def test_every_path_is_there():
    paths = re.findall(r"`([\w/]+\.py)[`:]", _WHOLE)
    assert len(paths) > 50
    there = [path for path in paths if list(SOURCE.rglob(path)) or (ROOT / path).is_file()]
    assert there == paths
