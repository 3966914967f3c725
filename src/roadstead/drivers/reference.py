"""Drivers' options, printed from their own classes: as a table of the configuration file, and as
the section of docs/drivers.md."""

import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import tomli_w

from roadstead.drivers import registry
from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.model.documented import doc_of
from roadstead.model.errors import ConfigError

_NOTHING = "none"  # which TOML does not know
_UNTOLD = {"": "# must be given", _NOTHING: "# nothing, unless it is given"}


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a driver."""

    name: str  # samba.port, where it stands in a table
    kind: str  # text, number, …
    default: str  # as TOML; "" when it must be given
    doc: str


def of_driver(axis: str, name: str) -> list[Option]:
    """What the driver can be told, in its own order. ConfigError when it is not installed."""
    kind = registry.options_of(registry.load(axis, name))
    return list(_options(kind, kind.defaults(_somewhere(axis))))


def as_toml(path: str) -> str:
    """The options of `AXIS/NAME`, as a commented table of the configuration file. ConfigError when
    there is no such driver."""
    axis, _, name = path.partition("/")
    found = of_driver(axis, name) if name else []
    if not name:
        known = " ".join(f"{axis}/{driver}" for driver in registry.installed(axis))
        raise ConfigError(f"{path}: which of {known}?")
    chosen, table = _keys(axis)
    lines = [*_comment(_about(axis, name)), f"# {chosen} = {_literal(name)}", f"[{table}]"]
    for option in found:
        lines += _comment(f"{option.doc} ({option.kind})")
        value = _UNTOLD.get(option.default, option.default)
        lines.append(f"# {option.name} = {value}")
    return "\n".join(lines) + "\n"


def as_markdown() -> str:
    """A section for each installed driver that has options; then those that have none."""
    return "\n\n".join(_axis(axis) for axis in registry.AXES)


def _axis(axis: str) -> str:
    chosen, table = _keys(axis)
    parts = [f"### {axis}\n\nChosen by `{chosen}`, told by `[{table}]`."]
    bare: list[str] = []
    for name in registry.installed(axis):
        if not registry.load(axis, name).__module__.startswith("roadstead."):
            continue  # a stranger's, that is installed where this is printed
        found = of_driver(axis, name)
        if not found:
            bare.append(f"`{name}`")
            continue
        rows = [f"| `{o.name}` | {o.kind} | {_default(o)} | {_cell(o.doc)} |" for o in found]
        head = ["| option | type | default | |", "|---|---|---|---|"]
        parts.append("\n".join([f"**{name}**: {_about(axis, name)}", "", *head, *rows]))
    if bare:
        parts.append(f"Without options: {', '.join(bare)}.")
    return "\n\n".join(parts)


def _options(kind: type[Any], values: dict[str, Any], prefix: str = "") -> Iterator[Option]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        bare = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
        value = values[field.name] if field.name in values else _own_default(field)
        if isinstance(value, DriverOptions):
            yield from _options(type(value), {}, f"{prefix}{field.name}.")
            continue
        yield Option(
            name=f"{prefix}{field.name}",
            kind=_kind(bare),
            default="" if field.required and field.name not in values else _literal(value),
            doc=doc_of(hint),
        )


def _own_default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return None if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _keys(axis: str) -> tuple[str, str]:
    """Where a driver's name stands, and the table of its options."""
    keys = registry.AXES[axis]
    return f"[{keys.table}] {keys.driver}", f"{keys.table}.{keys.options}"


def _somewhere(axis: str) -> Where:
    """Nobody's in particular."""
    below = registry.AXES[axis].directory
    return Where(
        name="NAME",
        state_directory=f"<state_directory>/{below}",
        run_directory=f"<run_directory>/{below}",
        owner="<host>-<digest of state_directory>",
        mounts="<compute.mounts>",
    )


def _about(axis: str, name: str) -> str:
    """The first sentence that the driver's class says of itself."""
    text = " ".join((inspect.getdoc(registry.load(axis, name)) or "").split())
    first = text.partition(". ")[0].partition("; see ")[0].rstrip(".")
    return "" if first.startswith("See ") else first


def _kind(hint: Any) -> str:
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if hint in names:
        return names[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(_literal(arg) for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(arg) for arg in args if arg is not types.NoneType)
    return "table" if origin is dict else f"list of {_plural(args[0])}"


def _plural(hint: Any) -> str:
    return {str: "texts", int: "whole numbers", float: "numbers"}.get(hint, "tables")


def _literal(value: Any) -> str:
    plain = msgspec.to_builtins(value)
    if plain is None:
        return _NOTHING
    if isinstance(plain, dict):
        pairs = [f"{k} = {_literal(v)}" for k, v in typing.cast("dict[str, Any]", plain).items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(plain, list | tuple):
        return f"[{', '.join(_literal(v) for v in typing.cast('list[Any]', plain))}]"
    return tomli_w.dumps({"v": plain}).removeprefix("v = ").strip()


def _default(option: Option) -> str:
    return f"`{option.default}`" if option.default else "must be given"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
