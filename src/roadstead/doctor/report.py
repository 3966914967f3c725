"""`roadstead doctor`: what each road needs, and whether this machine has it."""

from collections.abc import Sequence

import msgspec

from roadstead.config.sections import DEFAULT_ROAD, Config
from roadstead.doctor.direct import direct
from roadstead.drivers.host.needs import OK, Check
from roadstead.roads.registry import known

_STYLE = {"ok": "green", "warn": "yellow", "missing": "red"}


def run(config: Config, *, as_json: bool = False) -> int:
    """The findings are printed; 0 when the direct road works."""
    checks = all_checks(config)
    if as_json:
        print(as_json_text(checks))
    else:
        _print(checks)
    return 0 if works(checks, DEFAULT_ROAD) else 1


def works(checks: Sequence[Check], road: str) -> bool:
    """Nothing the road needs is missing; warnings do not count."""
    return all(c.state != "missing" for c in checks if c.road == road)


def as_json_text(checks: Sequence[Check]) -> str:
    """`roads`: name to works or not; `checks`: each with road, name, state, found, fix."""
    return msgspec.json.format(
        msgspec.json.encode(
            {"roads": {road: works(checks, road) for road in known()}, "checks": list(checks)}
        )
    ).decode()


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for road in known():
        state = "works" if works(checks, road) else "does not work here yet"
        table = Table("check", "", "found", "what to do", title=f"road {road}: {state}")
        table.title_justify = "left"
        for check in checks:
            if check.road == road:
                table.add_row(
                    check.name,
                    f"[{_STYLE[check.state]}]{check.state}[/]",
                    escape(check.found),
                    "" if check.state == OK else escape(check.fix),
                )
        console.print(table)


def all_checks(config: Config) -> list[Check]:
    """Every check of every road, in the order to read them."""
    from roadstead.doctor.drivers import drivers
    from roadstead.doctor.gateway import gateway
    from roadstead.doctor.hypervisor import hypervisor
    from roadstead.doctor.names import names
    from roadstead.doctor.network import network

    return [
        *direct(config),
        *drivers(config),
        *names(config),
        *hypervisor(config),
        *network(config),
        *gateway(config),
    ]
