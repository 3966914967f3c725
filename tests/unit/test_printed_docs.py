"""What docs/ has from the code's tables is what they say now: else `make docs`."""

import pytest

from roadstead.model.drift import MEANING, Drift
from scripts.docs import DOCS, PRINTED, Printed, commands, whole


@pytest.mark.parametrize("printed", PRINTED, ids=lambda p: f"{p.file} {p.section}".strip())
def test_each_file_is_as_its_printer_prints_it(printed):
    now = (DOCS / printed.file).read_text()
    assert now == whole(printed, now)


def test_each_command_says_what_it_does():
    rows = commands().splitlines()[2:]
    assert any(row.startswith("| `roadstead up` |") for row in rows)
    assert all(row.endswith(". |") for row in rows), rows


def test_each_kind_of_drift_has_a_meaning():
    assert set(MEANING) == set(Drift)


def test_a_section_that_is_not_there_is_told():
    printed = Printed("some.md", lambda: "text", "things")
    with pytest.raises(ValueError, match=r"some\.md has no section things"):
        whole(printed, "nothing")
    now = "a\n<!-- things: printed by `make docs` -->\nold\n<!-- end of things -->\nb\n"
    assert whole(printed, now) == now.replace("old", "text")
