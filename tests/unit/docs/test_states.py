"""What docs/states.md says of each word; that it is printed anew a test of all such pages says."""

from roadstead.model.states import Status
from roadstead.model.states_reference import meanings, page


def test_every_word_has_a_meaning_and_a_line():
    printed = page()
    for kind in Status.__subclasses__():
        for word, meaning in meanings(kind).items():
            assert f"| `{word}` | {meaning} |" in printed
