"""docs/requirements.md: no id without its meaning, and none without a test or the word open."""

import functools
import re

import pytest

from tests.unit.docs.pages import ROOT, ours, rows

_ID = re.compile(r"\b(?:[DHNG]-[ISM]|A-[ISM]|X-)\d+\b")
_PAGE = "requirements.md"
# A suite of the wheel is a test, too.
_TESTS = ("tests/", "src/roadstead/conformance/")
_REQUIREMENTS = {row[0]: row for row in rows(_PAGE)}


@functools.cache
def _mentions() -> dict[str, set[str]]:
    """The files that name an id, but for the page itself and these tests."""
    found: dict[str, set[str]] = {}
    for name, text in ours().items():
        if name != f"docs/{_PAGE}" and not name.startswith("tests/unit/docs/"):
            for each in _ID.findall(text):
                found.setdefault(each, set()).add(name)
    return found


def _tests(row: list[str]) -> list[str]:
    return re.findall(r"`(\S+\.py)`", row[2])


def test_a_row_has_an_id_a_sentence_and_a_proof():
    for row in rows(_PAGE):
        assert len(row) == 3, row
        assert _ID.fullmatch(row[0]), row
        assert all(row), row
    assert len(rows(_PAGE)) == len(_REQUIREMENTS), "an id stands there twice"


def test_every_id_that_is_mentioned_is_defined():
    assert {i: f for i, f in _mentions().items() if i not in _REQUIREMENTS} == {}


@pytest.mark.parametrize("requirement", _REQUIREMENTS)
def test_it_is_proven_or_open(requirement: str):
    row = _REQUIREMENTS[requirement]
    assert _tests(row) or "open" in row[2], "neither a test nor the word open"
    proofs = sorted(n for n in _mentions().get(requirement, ()) if n.startswith(_TESTS))
    for test in _tests(row):
        assert (ROOT / test).is_file(), f"{test} is not there; it is named in {proofs}"
        assert test in proofs, f"{test} does not name it; it is named in {proofs}"
    assert _tests(row) or not proofs, f"said to be open, and named in {proofs}"
