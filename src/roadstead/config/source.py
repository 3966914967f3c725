"""Where the configuration comes from: a TOML file and ROADSTEAD_… variables, key by key checked."""

import re
import tomllib
import typing
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from roadstead.model.errors import ConfigError

PREFIX = "ROADSTEAD_"
# Variables of that prefix which are not keys.
_NOT_KEYS = re.compile(r"ROADSTEAD_(CONFIG|(LAB|TEST|BENCH|DEMO)_.*)")
# Keys of the first level that had another name once.
RENAMED = {"grant_timeout_seconds": "operation_timeout_seconds"}
_S = typing.TypeVar("_S")


def read_file(path: Path) -> dict[str, Any]:
    """The file's tables. ConfigError when it is not there or not TOML."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def take_new_names(given: dict[str, Any]) -> None:
    """Keys by an old name are there by their new one, and a warning says so. ConfigError when both
    are given."""
    for old in RENAMED.keys() & given.keys():
        new = _named_now(old)
        if new in given:
            raise ConfigError(f"{old}: is called {new} now, which is there, too")
        given[new] = given.pop(old)


def warn_in_one_line() -> None:
    """From now on this process tells warnings as it tells errors, without a place in the code."""

    def told(message: Warning | str, *_place: object, **_line: object) -> str:
        return f"roadstead: {message}\n"

    warnings.formatwarning = told


def _named_now(name: str) -> str:
    if name not in RENAMED:
        return name
    warnings.warn(f"{name}: is called {RENAMED[name]} now", FutureWarning, stacklevel=3)
    return RENAMED[name]


def check_keys(given: Mapping[str, Any], kind: Any, prefix: str = "") -> None:
    """Every key is known; ConfigError names the one that is not, and the nearest that is."""
    known = keys_of(kind)
    for name, value in given.items():
        key = f"{prefix}{name}"
        if known is not None and name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1, cutoff=0)
            hint = f"; the nearest is {prefix}{near[0]}" if near else ""
            raise ConfigError(f"{key}: no such key{hint}")
        below = kind_below(kind, name)
        if below is not None and isinstance(value, dict):
            check_keys(cast("dict[str, Any]", value), below, f"{key}.")


def overlay_environment(given: dict[str, Any], environ: Mapping[str, str], kind: Any) -> None:
    """`given` has the values of ROADSTEAD_<KEY> and ROADSTEAD_<SECTION>__<KEY> over its own.

    A value is TOML where it can be read so and the key is not a text, else the text itself.
    """
    for variable in sorted(environ):
        if not is_key(variable):
            continue
        first, *rest = variable.removeprefix(PREFIX).lower().split("__")
        path = [_named_now(first), *rest]
        wanted: Any = kind
        table: dict[str, Any] = {}
        inner = table
        for name in path[:-1]:
            wanted = kind_below(wanted, name)
            inner[name] = {}
            inner = inner[name]
        wanted = kind_below(wanted, path[-1])
        inner[path[-1]] = _value(environ[variable], text_wanted=wanted is str)
        try:
            check_keys(table, kind)
        except ConfigError as error:
            raise ConfigError(f"{variable}: {error}") from error
        _merge(given, table, variable)


def is_key(variable: str) -> bool:
    """True when an environment variable of that name is read as a key."""
    return variable.startswith(PREFIX) and not _NOT_KEYS.fullmatch(variable)


def convert(given: Mapping[str, Any], kind: type[_S]) -> _S:
    """The Struct; ConfigError names the key whose value does not fit, never the value."""
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `")
        key = where.rstrip("`").removeprefix("$.").removeprefix("$") or "configuration"
        raise ConfigError(f"{key}: {reason}") from error


def keys_of(kind: Any) -> list[str] | None:
    """The keys a table of this type may have; None when any."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(kind)]
    return None


def kind_below(kind: Any, name: str) -> Any:
    """The type of the value under that key, without annotations; None when free or unknown."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return plain(typing.get_type_hints(kind).get(name))
    if typing.get_origin(kind) is dict:
        return plain(typing.get_args(kind)[1])
    return None


def plain(kind: Any) -> Any:
    """The type without its `Annotated`; None for `Any`."""
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    return None if kind is Any else kind


def _value(text: str, *, text_wanted: bool) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
    return text if text_wanted and not isinstance(value, str) else value


def _merge(into: dict[str, Any], table: Mapping[str, Any], variable: str) -> None:
    for name, value in table.items():
        if isinstance(value, dict):
            below = into.setdefault(name, {})
            if not isinstance(below, dict):
                raise ConfigError(f"{variable}: {name} is not a table in the file")
            _merge(cast("dict[str, Any]", below), cast("dict[str, Any]", value), variable)
        else:
            into[name] = value
