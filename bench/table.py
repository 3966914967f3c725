"""A figure, and how figures are shown."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value. `target` is the most it may be, `least` the least; None: only told."""

    group: str
    name: str
    value: float
    unit: str
    target: float | None = None
    least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is kept; None without one."""
        if self.target is None and self.least is None:
            return None
        enough = self.least is None or self.value >= self.least
        return enough and (self.target is None or self.value <= self.target)


def show(figures: Sequence[Figure], console: Console) -> None:
    """The table is printed, and what was missed is said once more below it."""
    table = Table(title="Roadstead, measured on this machine", title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("note", style="dim")
    group = ""
    for figure in figures:
        if figure.group != group:
            table.add_section()
            table.add_row(f"[bold]{figure.group}[/bold]")
            group = figure.group
        measured = f"{_number(figure.value)} {figure.unit}"
        table.add_row(f"  {figure.name}", measured, _target(figure), _verdict(figure), figure.note)
    console.print(table)
    missed = [figure for figure in figures if figure.met is False]
    asked = [figure for figure in figures if figure.met is not None]
    console.print(f"{len(asked) - len(missed)} of {len(asked)} targets met.")
    for figure in missed:
        console.print(
            f"[red]missed[/red]: {figure.group}: {figure.name}: "
            f"{_number(figure.value)} {figure.unit}, not {_target(figure)}"
        )


def save(figures: Sequence[Figure], file: Path) -> None:
    """The same figures as JSON."""
    rows = [{**asdict(figure), "met": figure.met} for figure in figures]
    file.write_text(json.dumps(rows, indent=2) + "\n")


def p95(values: Sequence[float]) -> float:
    """The value that 19 of 20 do not exceed; the largest of less than twenty."""
    return statistics.quantiles(values, n=20)[-1] if len(values) >= 20 else max(values)


def _target(figure: Figure) -> str:
    limits = (("≤", figure.target), ("≥", figure.least))
    return ", ".join(f"{sign} {_number(x)} {figure.unit}" for sign, x in limits if x is not None)


def _verdict(figure: Figure) -> str:
    if figure.met is None:
        return ""
    return "[green]met[/green]" if figure.met else "[red]missed[/red]"


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    digits = 3 if abs(value) < 0.1 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}"
