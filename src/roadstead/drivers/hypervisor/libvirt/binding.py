"""libvirt's Python binding, loaded when first needed: it is an extra, and it has no types."""

import threading
from typing import Any

from roadstead.model.errors import ConfigError

_lock = threading.Lock()
_loaded: list[Any] = []


def load() -> Any:
    """The module, with its events being delivered. ConfigError when it is not installed."""
    with _lock:
        if not _loaded:
            _loaded.append(_started())
        return _loaded[0]


def _started() -> Any:
    try:
        import libvirt  # pyright: ignore[reportMissingTypeStubs, reportMissingImports]
    except ImportError as error:
        raise ConfigError("libvirt-python is missing: install roadstead[libvirt]") from error
    module: Any = libvirt
    # Errors are raised; by default they are printed to standard error as well.
    module.registerErrorHandler(_ignore, None)
    # Before the first connection, or that one will never deliver an event.
    module.virEventRegisterDefaultImpl()
    threading.Thread(target=_deliver, args=(module,), name="libvirt-events", daemon=True).start()
    return module


def _deliver(module: Any) -> None:
    while True:
        try:
            module.virEventRunDefaultImpl()
        except module.libvirtError:
            continue


def _ignore(*_: object) -> None:
    pass
