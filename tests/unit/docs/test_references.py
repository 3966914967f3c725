"""Nothing refers to what is not here."""

import re

import pytest

from tests.unit.docs.pages import DOCS, ROOT, anchors, ours

_PAGES = sorted(name for name in ours() if name.endswith(".md"))
# Papers that stayed with their authors.
_ELSEWHERE = re.compile(
    r"contract\s+§|/work/|\.\./shared|\bshared/(?:api|design)|house\.md|contract\.md"
    r"|(?:microversions|policies|clients)\.md|\bissue #?\d|\bthe issue\b",
    re.IGNORECASE,
)


def test_the_wire_is_described_here():
    """Each `wire.md#…` in code leads to a section of docs/wire.md."""
    sections = anchors((DOCS / "wire.md").read_text())
    found = {
        (name, anchor)
        for name, text in ours().items()
        for anchor in re.findall(r"wire\.md#([\w-]+)", text)
    }
    assert len(found) > 40
    assert {(name, anchor) for name, anchor in found if anchor not in sections} == set()


def test_no_paper_is_named_that_is_not_here():
    found = {
        f"{name}: {match[0]}"
        for name, text in ours().items()
        if not name.startswith("tests/unit/docs/")
        for match in _ELSEWHERE.finditer(text)
    }
    assert found == set()


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_somewhere(page: str):
    text = re.sub(r"^(?:    |```).*$", "", ours()[page], flags=re.M)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text()), target
