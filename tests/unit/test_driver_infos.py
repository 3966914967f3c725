"""What a driver says of itself is asked for: by the service, or by the suite that proves it."""

import ast
from pathlib import Path

import msgspec
import pytest

import roadstead
from roadstead.model.world import ExportInfo, PoolInfo

CONFORMANCE = Path(__file__).parents[1] / "conformance"
FIELDS = [
    (kind, field.name) for kind in (PoolInfo, ExportInfo) for field in msgspec.structs.fields(kind)
]
READ = {
    node.attr
    for source in (Path(roadstead.__file__).parent, CONFORMANCE)
    for path in source.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_each_fact_is_read(kind, name):
    assert name in READ
