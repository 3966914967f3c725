"""A status word is written once, in model/states.py; everywhere else its constant stands."""

import ast
from collections.abc import Iterator
from pathlib import Path

from roadstead.model.states import Status

SOURCE = Path(__file__).parents[2] / "src/roadstead"
WORDS = {word.value for kind in Status.__subclasses__() for word in kind}
# Drivers know the world and no resource of ours; what was migrated once stays as it was written.
ELSEWHERE = ("drivers/", "store/migrations/", "model/states.py")
# Ordinary words that mean something else there.
MEANT_OTHERWISE = {
    ("conformance/export_access.py", "error"): "an outcome of a probe",
    ("conformance/user_access.py", "error"): "an outcome of a probe",
    ("cli/client.py", "ok"): "a step of an operation",
    ("cli/shares.py", "ok"): "a hop of an explained way",
}
# Calls whose first argument names a column or a key.
_NAMES_A_FIELD = {"Column", "Field", "_flag", "get"}


def test_no_status_is_written_as_a_literal():
    found = {
        (name, word)
        for path in sorted(SOURCE.rglob("*.py"))
        if not (name := str(path.relative_to(SOURCE))).startswith(ELSEWHERE)
        for word in _literals(ast.parse(path.read_text()))
    }
    assert found - MEANT_OTHERWISE.keys() == set()
    assert MEANT_OTHERWISE.keys() - found == set()


def _literals(tree: ast.AST) -> Iterator[str]:
    """Status words that stand in the code as plain text, and not as the name of a field."""
    names = {id(node) for node in _field_names(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in names:
            words = node.value.split()
            # also "creating deleting error".split()
            if words and WORDS.issuperset(words):
                yield node.value


def _field_names(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from filter(None, node.keys)
        elif isinstance(node, ast.Subscript):
            yield node.slice
        elif isinstance(node, ast.Call) and node.args:
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in _NAMES_A_FIELD:
                yield node.args[0]


def test_such_a_literal_would_be_found():
    text = 'x.status == "error"; f(status="active"); {"error": 1}; y["error"]; "error deleting"'
    assert sorted(_literals(ast.parse(text))) == ["active", "error", "error deleting"]
