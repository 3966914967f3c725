"""The configuration as a commented TOML file, printed from the table of keys."""

import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
import tomli_w

from roadstead.config import sections as c
from roadstead.config.source import plain
from roadstead.model.documented import doc_of
from roadstead.model.quotas import DEFAULT_LIMITS

_HEAD = """\
# Roadstead's configuration. Every key is here with its default; keep what you change.
# The environment overrides it: ROADSTEAD_<KEY>, ROADSTEAD_<SECTION>__<KEY> (ROADSTEAD_API__PORT).
"""
_SECRET = "********"  # noqa: S105 -- what is shown instead of one


def reference() -> str:
    """A complete file; read back, it is the default configuration."""
    defaults = c.Config(backends={"local": c.BackendConfig()}, quota=dict(DEFAULT_LIMITS))
    lines = [_HEAD, *_section(defaults, ""), "", *_examples()]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def effective(config: c.Config, *, secrets: bool = False) -> str:
    """This configuration as TOML without comments; passwords only if asked for."""
    tables = cast("dict[str, Any]", msgspec.to_builtins(config))
    if not secrets:
        if tables["api"]["keystone"]["password"]:
            tables["api"]["keystone"]["password"] = _SECRET
        tables["database"] = hide_password(tables["database"])
        tables = _without_secret_options(tables)
    return tomli_w.dumps(tables)


def _without_secret_options(tables: Mapping[str, Any]) -> dict[str, Any]:
    """What drivers are told may be anything: there a secret is known by its name."""
    from roadstead.process.log import without_secrets

    shown: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            options = name.endswith("options")
            value = without_secrets(table) if options else _without_secret_options(table)
        shown[name] = value
    return shown


def hide_password(url: str) -> str:
    """The database URL with stars for its password."""
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    user, colon, _password = credentials.partition(":")
    return f"{scheme}{separator}{user}:{_SECRET}{at}{host}" if colon else url


def _section(section: c.Section, path: str) -> Iterator[str]:
    """The keys of one table, then the tables below it."""
    kind = type(section)
    hints = typing.get_type_hints(kind, include_extras=True)
    tables: list[tuple[str, str, Any]] = []
    if path:
        yield ""
        yield from _comment(kind.__doc__ or "")
        yield f"[{path}]"
    for field in msgspec.structs.fields(kind):
        value, doc = getattr(section, field.name), doc_of(hints[field.name])
        if _is_table(value, plain(hints[field.name])) and not field.name.endswith("options"):
            tables.append((field.name, doc, value))
        else:
            yield from _comment(doc)
            yield f"{field.name} = {_literal(value)}"
    for name, doc, value in tables:
        yield from _table(f"{path}.{name}" if path else name, doc, value)


def _table(path: str, doc: str, value: Any) -> Iterator[str]:
    if isinstance(value, c.Section):
        yield from _section(value, path)
        return
    items = cast("Mapping[str, Any]", value)
    if doc and items:
        yield ""
        yield from _comment(doc)
        yield f"[{path}]"
    for name, item in items.items():
        if isinstance(item, c.Section):
            yield from _section(item, f"{path}.{name}")
        else:
            yield f"{name} = {_literal(item)}"


def _examples() -> list[str]:
    """What has a name of its own has no default entry, so it stays a comment."""
    project = list(_section(c.ProjectConfig(), "projects.ID"))[1:]
    network = list(_section(c.NetworkConfig(ids="1000-1999"), "networks.NAME"))
    standby = list(_section(c.StandbyConfig(), "standbys.NAME"))
    return [f"# {line}".rstrip() for line in (*project, *network, *standby)]


def _is_table(value: Any, kind: Any) -> bool:
    return isinstance(value, c.Section) or typing.get_origin(kind) is dict


def _literal(value: Any) -> str:
    plain_value = msgspec.to_builtins(value)
    if isinstance(plain_value, dict) and not plain_value:
        return "{}"
    if isinstance(plain_value, list | tuple):
        return "[" + ", ".join(_literal(v) for v in cast("list[Any]", plain_value)) + "]"
    return tomli_w.dumps({"v": plain_value}).removeprefix("v = ").strip()


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
