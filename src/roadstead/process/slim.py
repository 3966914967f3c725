"""structlog is loaded without rich, which only draws tracebacks in colour: 3.4 MB less in each
process that stays. To be imported before any module that logs.
"""

import importlib
import sys
from types import ModuleType
from typing import cast


def _without(hidden: str, wanted: str) -> None:
    """`wanted` is imported as on a machine that has no `hidden`; later imports find it again."""
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    before = modules.get(hidden)
    modules[hidden] = None  # an import of it raises ImportError (import system, 5.3.1)
    try:
        importlib.import_module(wanted)
    finally:
        if before is None:
            del modules[hidden]
        else:
            modules[hidden] = before


_without("rich", "structlog.dev")
