"""`python -m tests.crash`: every kill there is, as a table; 1 when anything is stuck or leaked."""

import argparse
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from roadstead.ops.recipes import RECIPES
from tests.crash import hypervisor, whole
from tests.crash.play import Result, play, points
from tests.crash.scenarios import uncovered
from tests.crash.stage import DATABASES, Stage

Kill = Callable[[Stage], Result]
# Whether a stage with share servers is needed, and what it is to play.
Kills = dict[bool, list[Kill]]
VICTIMS = ("agent", "API", "everything")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every kill happened and left nothing stuck and nothing leaked."""
    options = _options(argv)
    console = Console()
    if missing := uncovered():
        console.print(f"No scenario in tests/crash/scenarios.py reaches: {', '.join(missing)}")
        return 1
    kills: Kills = {False: list(_kills(options)), True: list(_kills(options, tenancy=True))}
    databases = DATABASES if options.database == "both" else (options.database,)
    results: list[Result] = []
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=console.is_terminal) as progress:
        task = progress.add_task("starting", total=sum(map(len, kills.values())) * len(databases))
        for database in databases:
            for result in _all_played(database, kills):
                results.append(result)
                where = f"{result.verb} {result.step} {result.phase} {result.database}"
                progress.update(task, advance=1, description=where)
                _tell(progress.console, where, result)
    console.print(_table(results))
    return _verdict(console, results, options)


def _tell(console: Console, where: str, result: Result) -> None:
    """What went wrong is said at once; where no bar can move, every kill is."""
    if not result.good:
        console.print(f"[red]{where}[/red]: {result.text()}", highlight=False)
    elif not console.is_terminal:
        console.print(f"{where}: ok", highlight=False)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument(
        "--verb", action="append", choices=sorted(RECIPES),
        help="only the steps of this one; may be repeated",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return parser.parse_args(argv)


def _kills(options: argparse.Namespace, *, tenancy: bool = False) -> Iterator[Kill]:
    """The steps first, then, without --verb, the whole processes."""
    for scenario, step, phase in points(options.verb and frozenset(options.verb)):
        if scenario.needs_tenancy == tenancy:
            yield lambda stage, s=scenario, at=step, ph=phase: play(stage, s, at, ph)
    if options.verb:
        return
    for scenario in whole.succeeding():
        if scenario.needs_tenancy == tenancy:
            yield lambda stage, s=scenario: whole.answered(stage, s)
    yield whole.submitted
    if tenancy:
        return
    for victim in hypervisor.VICTIMS:
        for point in (*hypervisor.ATTACHING, *hypervisor.DETACHING):
            yield lambda stage, v=victim, p=point: hypervisor.both_killed(stage, v, *p)
    for victim in VICTIMS:
        yield lambda stage, v=victim: whole.storm(stage, v, random.Random(options.seed))


def _all_played(database: str, kills: Kills) -> Iterator[Result]:
    for tenancy, some in kills.items():
        yield from _played(some, lambda t=tenancy: Stage(database, host=not t, tenancy=t))


def _played(kills: Sequence[Kill], make: Callable[[], Stage]) -> Iterator[Result]:
    """One service for all; a broken one is replaced, so that each kill has a result of its own."""
    remaining = list(kills)
    while remaining:
        with make() as stage:
            while remaining:
                result = remaining.pop(0)(stage)
                yield result
                if not result.good:
                    break


def _table(results: Sequence[Result]) -> Table:
    table = Table("verb", "step", "phase", "database", "result")
    table.add_column("seconds", justify="right")
    for r in results:
        text = "[green]ok" if r.good else f"[red]{r.verdict()}"
        table.add_row(r.verb, r.step, r.phase, r.database, text, f"{r.seconds:.1f}")
    return table


def _verdict(console: Console, results: Sequence[Result], options: argparse.Namespace) -> int:
    console.print(f"seed {options.seed}, finished {time.strftime('%F %T')}", highlight=False)
    kills, stuck, leaked = (
        sum(r.killed for r in results),
        sum(len(r.stuck) for r in results),
        sum(len(r.leaked) for r in results),
    )
    console.print(f"{kills} kills, {stuck} stuck, {leaked} leaked", highlight=False)
    return 0 if all(r.good for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
