"""docs/words.md: each word lives in the rooms it names, and these are there."""

import re

import pytest

from tests.unit.docs.pages import ROOT, SOURCE, rows

_WORDS = {row[0]: row for row in rows("words.md")}
# What newcomers search for.
_USUAL = (
    "failover,HA,revoke,cleanup,watchdog,reconcile,garbage collection,health check,queue,worker,"
    "tenant,ACL,mount target,quota,lock,live migration,retry,rollback,orphan,IPAM,NAT,namespace,"
    "scheduling,microversion,RBAC,encryption"
).split(",")


def test_a_row_is_whole():
    for row in rows("words.md"):
        assert len(row) == 4, row
        assert all(row), row
    assert len(rows("words.md")) == len(_WORDS), "a word stands there twice"


@pytest.mark.parametrize("word", _WORDS)
def test_a_word_is_used_in_its_rooms(word: str):
    """By the code there, or by the room's own name."""
    rooms = re.findall(r"`(\S+\.py)`", _WORDS[word][3])
    assert rooms
    said = "\n".join(rooms)
    for room in rooms:
        path = (ROOT if room.startswith("tests/") else SOURCE) / room
        assert path.is_file(), f"{room} is not there"
        said += path.read_text()
    spoken = rf"(?:\b|_){'[ _.]'.join(word.split())}"
    assert re.search(spoken, said, re.IGNORECASE), f"{word} is not said in {rooms}"


@pytest.mark.parametrize("usual", _USUAL)
def test_the_usual_word_leads_somewhere(usual: str):
    spoken = re.compile(rf"\b{usual}", re.IGNORECASE)
    assert any(spoken.search(f"{row[0]} {row[1]}") for row in _WORDS.values())
