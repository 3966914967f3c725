"""Which keys of the configuration the code reads, found in its text by following the types: from
an argument that is annotated with a section, through names, attributes, loops and calls.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from roadstead.config.sections import Config, Section
from roadstead.config.source import plain

Key = tuple[str, str]  # section, field
# Of the configuration's own modules: what turns a table into what the service works with. The rest
# of them checks and completes, which is no use of a key.
CONVERTERS = ("network_pools",)


def sections(kind: type[Section] = Config) -> Iterator[type[Section]]:
    """This section and all below it."""
    yield kind
    for hint in typing.get_type_hints(kind).values():
        below = item_of(hint) or plain(hint)
        if isinstance(below, type) and issubclass(below, Section):
            yield from sections(below)


def item_of(kind: Any) -> Any:
    """What a table of tables holds; None for anything else."""
    return plain(typing.get_args(kind)[1]) if typing.get_origin(kind) is dict else None


def reads(source: Path) -> set[Key]:
    """Every key that a module below `source`, but for those of the configuration, reads."""
    trees = {path: ast.parse(path.read_text()) for path in source.rglob("*.py")}
    known = {kind.__name__: kind for kind in sections()}
    made = {
        f.name: known[f.returns.id]
        for tree in trees.values()
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef)
        and isinstance(f.returns, ast.Name)
        and f.returns.id in known
    }
    found: set[Key] = set()
    for path, tree in trees.items():
        own = path.relative_to(source).parts[0].startswith("config")
        found |= _Module(known, made).reads_of(_converters(tree) if own else tree)
    return found


def _converters(tree: ast.Module) -> ast.Module:
    kept = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name in CONVERTERS]
    return ast.Module(body=[*kept], type_ignores=[])


class _Module:
    def __init__(self, known: dict[str, Any], made: dict[str, Any]) -> None:
        self._known, self._made = known, made
        self._names: dict[str, Any] = {}  # by "function name" or "self.attribute"
        self._found: set[Key] = set()

    def reads_of(self, tree: ast.Module) -> set[Key]:
        for _ in range(3):  # what is assigned below is used above
            self._walk(tree, "")
        return self._found

    def _walk(self, node: ast.AST, scope: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            scope = f"{scope}.{getattr(node, 'name', node.lineno)}"
            for arg in [*node.args.args, *node.args.kwonlyargs]:
                if isinstance(arg.annotation, ast.Name):
                    self._names[f"{scope} {arg.arg}"] = self._known.get(arg.annotation.id)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._bind(target, self._type(node.value, scope), scope)
        elif isinstance(node, ast.For | ast.comprehension):
            self._bind(node.target, self._type(node.iter, scope), scope)
        elif isinstance(node, ast.Attribute):
            self._type(node, scope)
        for child in ast.iter_child_nodes(node):
            self._walk(child, scope)

    def _bind(self, target: ast.expr, kind: Any, scope: str) -> None:
        if isinstance(target, ast.Tuple) and kind is not None:
            self._bind(target.elts[-1], kind, scope)  # of a name and a table
        elif isinstance(target, ast.Name) and kind is not None:
            self._names[f"{scope} {target.id}"] = kind
        elif isinstance(target, ast.Attribute) and kind is not None:
            self._names[f"self.{target.attr}"] = kind

    def _type(self, node: ast.expr, scope: str) -> Any:
        """A section, or a dict of them; None for anything else."""
        match node:
            case ast.Name(id=name):
                return self._named(name, scope)
            case ast.Attribute(value=ast.Name(id="self"), attr=attr):
                return self._names.get(f"self.{attr}")
            case ast.Attribute(value=value, attr=attr):
                return self._field(self._type(value, scope), attr)
            case ast.Subscript(value=value):
                return item_of(self._type(value, scope))
            case ast.Call(func=ast.Attribute(value=value, attr="items" | "values" | "get")):
                return item_of(self._type(value, scope))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return self._made.get(name)
            case ast.IfExp(body=body):
                return self._type(body, scope)
        return None

    def _named(self, name: str, scope: str) -> Any:
        while scope and f"{scope} {name}" not in self._names:
            scope = scope.rpartition(".")[0]
        return self._names.get(f"{scope} {name}")

    def _field(self, kind: Any, name: str) -> Any:
        if not (isinstance(kind, type) and issubclass(kind, Section)):
            return None
        if name not in {field.name for field in msgspec.structs.fields(kind)}:
            return None
        self._found.add((kind.__name__, name))
        return plain(typing.get_type_hints(kind)[name])
