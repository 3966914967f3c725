"""Logging: structlog and the standard library's loggers, to standard error, without secrets."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog

HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|credential|(^|[_-])key$", re.I
)
_SECRET_TEXT = re.compile(
    r"(?P<url>://[^/\s:@]*:)[^/\s@]+(?=@)"  # user:password@ in a URL
    r"|(?P<scheme>\b(Basic|Bearer)\s+)[A-Za-z0-9+/_.=~-]{6,}"
    r"|(?P<header>\b(X-(Auth|Service|Subject)-Token|Authorization)['\"]?\s*[:=]\s*['\"]?"
    r"((Basic|Bearer)\s+)?)"
    r"[^\s'\",]+"
    r"|(?P<pair>\b(password|passwd|secret|token)['\"]?\s*[:=]\s*['\"]?)[^\s'\",}]+",
    re.I,
)


def setup_logging(*, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Everything logged from now on goes to `stream`: readable on a terminal, else one JSON
    object per line; secrets are starred out."""
    output = sys.stderr if stream is None else stream
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: Any
    if output.isatty():
        render = structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    else:
        render = structlog.processors.JSONRenderer(default=str)
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("dbos", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: no value under a secret's name, no password in a text."""
    return cast("dict[str, Any]", _clean(event))


def without_secrets(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table, with stars for what goes by a secret's name or stands in a text as one."""
    return cast("dict[str, Any]", _clean(table))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(_keep_label, value)
    if isinstance(value, bytes):
        return _clean(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {k: HIDDEN if _is_secret(str(k), v) else _clean(v) for k, v in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(v) for v in cast("list[Any]", value)]
    if isinstance(value, BaseException):
        return _clean(str(value))
    return value


def _is_secret(name: str, value: Any) -> bool:
    return bool(value) and not isinstance(value, bool) and bool(_SECRET_NAME.search(name))


def _keep_label(found: re.Match[str]) -> str:
    return next((label for label in found.groupdict().values() if label), "") + HIDDEN
