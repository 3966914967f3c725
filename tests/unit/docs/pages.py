"""The pages that are kept true by tests, and the repository they speak of."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src/roadstead"
_TEXTS = frozenset((".py", ".md", ".toml", ".sh", ".c", ".in", ""))


@functools.cache
def ours() -> dict[str, str]:
    """Every text that we wrote, by its path from the root."""
    found = [p for p in ROOT.iterdir() if p.is_file() and not p.name.startswith(".")]
    for name in ".ci bench changes demo docs scripts src tests".split():
        found += [p for p in (ROOT / name).rglob("*") if p.suffix in _TEXTS and p.is_file()]
    return {str(p.relative_to(ROOT)): p.read_text() for p in found if p.suffix in _TEXTS}


def rows(page: str, heading: str = "") -> list[list[str]]:
    """The cells of every table row of a page, or of its section of that heading; neither the
    head of a table nor its rule."""
    text = (DOCS / page).read_text()
    if heading:
        _, found, text = text.partition(f"\n## {heading}\n")
        assert found, f"docs/{page} has no section {heading!r}"
        text = text.partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in _bodies(text.split("\n"))
    ]


def _bodies(lines: list[str]) -> Iterator[str]:
    """The lines of tables that come after the rule."""
    inside = False
    for line in lines:
        if not line.startswith("|"):
            inside = False
        elif set(line) <= set("|-: "):
            inside = True
        elif inside:
            yield line


def anchors(text: str) -> set[str]:
    """Where a link into a page may lead: its headings as GitHub names them, and its own ids."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", prose, re.M)
    names = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
    return names | set(re.findall(r'<a id="([^"]+)"', text))


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes, `Class.method`, and names at its top."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


def where(name: str) -> list[str]:
    """Modules that define it, for whoever has to mend a page."""
    paths = sorted(SOURCE.rglob("*.py"))
    return [str(p.relative_to(SOURCE)) for p in paths if name in names_in(p)]
