"""`python -m bench [--json FILE] [GROUP ...]`: all groups when none is named."""

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from bench.table import Figure, save, show

GROUPS = (
    "statements",
    "creating",
    "idle",
    "reading",
    "load",
    "throughput",
    "hypervisor",
    "network",
    "gateway",
    "failover",
)


def main() -> int:
    """Figures are printed; 1 when one could not be measured. A missed target is no failure."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the API and the roads.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = parser.parse_args()
    if unknown := set(asked.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    wide = None if sys.stdout.isatty() else 140
    console = Console(width=wide)
    busy = os.getloadavg()
    # As users run it: code that is compiled anew at each start takes time and memory.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found, failed = list[Figure](), list[str]()
    for name in asked.groups or GROUPS:
        began = time.monotonic()
        try:
            found += importlib.import_module(f"bench.{name}").measure()
        except Exception:
            failed.append(name)
            console.print_exception()
        console.print(f"[dim]{name}: {time.monotonic() - began:.1f} s[/dim]")
    show(found, console)
    console.print(
        f"{os.cpu_count()} processors; load average {busy[0]:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after: whatever else runs here makes wall times longer."
    )
    if asked.json is not None:
        save(found, asked.json)
    if failed:
        console.print(f"[red]could not be measured[/red]: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
