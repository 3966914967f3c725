"""Each key of the configuration does something and says what."""

import re
import typing
from pathlib import Path

import msgspec
import pytest

import roadstead
from roadstead.config import reference as config_reference
from roadstead.config.sections import Section
from roadstead.config.source import RENAMED, plain
from tests.unit.config_reads import item_of, reads, sections

SECTIONS = list(dict.fromkeys(sections()))
KEYS = [(kind, field.name) for kind in SECTIONS for field in msgspec.structs.fields(kind)]
READ = reads(Path(roadstead.__file__).parent)


def _id(value):
    return value if isinstance(value, str) else value.__name__


@pytest.mark.parametrize(("section", "key"), KEYS, ids=_id)
def test_each_key_is_read(section, key):
    assert (section.__name__, key) in READ


@pytest.mark.parametrize(("section", "key"), KEYS, ids=_id)
def test_each_key_is_documented(section, key):
    """By its own words, or, where it is a table or tables, by the table's."""
    hint = typing.get_type_hints(section, include_extras=True)[key]
    said = [m.description for m in typing.get_args(hint) if isinstance(m, msgspec.Meta)]
    below = item_of(hint) or plain(hint)
    if isinstance(below, type) and issubclass(below, Section):
        said.append(below.__doc__)
    assert any(said)
    # With a value, or in the name of a table; of examples in a comment.
    stands = rf"^(# )?({key} = |\[([\w.]+\.)?{key}[].])"
    assert re.search(stands, config_reference.reference(), re.M)


def test_what_nobody_reads_is_found(tmp_path):
    """A key of another section by the same name does not count."""
    (tmp_path / "some.py").write_text(
        "class A:\n"
        "    def __init__(self, config: Config): self._c = config\n"
        "    def f(self):\n"
        "        for name, backend in self._c.backends.items(): backend.filer.port\n"
    )
    assert reads(tmp_path) == {
        ("Config", "backends"),
        ("BackendConfig", "filer"),
        ("FilerConfig", "port"),
    }


def test_old_names_are_no_keys():
    keys = {key for _, key in KEYS}
    assert not RENAMED.keys() & keys
    assert set(RENAMED.values()) <= keys
