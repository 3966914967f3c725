"""docs/states.md is what the table says."""

from pathlib import Path

from roadstead.model.states import Status
from roadstead.model.states_reference import meanings, page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_as_printed():
    assert (DOCS / "states.md").read_text() == page()


def test_every_word_has_a_meaning_and_a_line():
    printed = page()
    for kind in Status.__subclasses__():
        for word, meaning in meanings(kind).items():
            assert f"| `{word}` | {meaning} |" in printed
