"""What the demo shows: live steps on a terminal, plain lines elsewhere, at most 100 wide."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Self, TextIO

from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from demo.scene import Road, Row

WIDTH = 100


class Screen:
    """Between enter and exit a terminal shows what is being worked on, with its time."""

    def __init__(self, file: TextIO | None = None) -> None:
        console = Console(file=file, highlight=False, soft_wrap=False)
        wide = min(console.width, WIDTH) if console.is_terminal else WIDTH
        self.console = Console(file=file, highlight=False, width=wide)
        self.width = wide
        self._file: IO[str] = self.console.file
        utf = self.console.encoding.startswith("utf")
        self._good, self._bad = ("✓", "✗") if utf else ("+", "!")
        columns = (TextColumn(" "), SpinnerColumn(), TextColumn("{task.description}", markup=False))
        self._live = Progress(
            *columns,
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    # --- while it works -----------------------------------------------------------------------

    def head(self, roads: Sequence[Road]) -> None:
        """Two lines: what will happen."""
        names = ", ".join(road.name for road in roads)
        self._print(
            Text.assemble(
                ("Roadstead", "bold"),
                f" makes shares; real Linux machines use them, or are refused. Road: {names}.\n"
                "It takes a minute or two and leaves nothing behind, also after Ctrl-C.",
            )
        )

    def title(self, road: Road) -> None:
        """A road begins."""
        self._print(Text())
        self._print(Rule(Text(f"{road.name}: {road.about}", "bold"), align="left", style="dim"))

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """A terminal shows the text and how long it takes."""
        task = self._live.add_task(text[: self.width - 16], total=None)
        try:
            yield
        finally:
            self._live.remove_task(task)

    @contextmanager
    def step(self, text: str, *, style: str = "", mark: bool = True) -> Iterator[None]:
        """Shown while it runs, and then as a line with its time; marked as failed if it raised."""
        began = time.monotonic()
        sign = Text(self._good, "green") if mark else Text()
        try:
            with self.busy(text):
                yield
        except BaseException:
            sign = Text(self._bad, "bold red")
            raise
        finally:
            left = Text.assemble("  ", sign, " " if sign else "", (text, style))
            self._timed(left, time.monotonic() - began)

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.strip().splitlines():
            self._print(Text(f"    {line}", "dim"))

    def row(self, row: Row) -> None:
        """A row as soon as it is known."""
        left = Text.assemble(
            "  ", self._mark(row), f" {row.client:<5} {row.action:<32} ", (row.observed, "cyan")
        )
        self._timed(left, row.seconds)

    def problem(self, *lines: str) -> None:
        """Something the user should know about."""
        self._print(Text.assemble((f"{self._bad} ", "bold red"), lines[0]))
        for line in lines[1:]:
            self._print(Text(f"    {line}"))

    # --- at the end ---------------------------------------------------------------------------

    def table(self, rows: Sequence[Row]) -> None:
        """All rows, each with its mark."""
        if not rows:
            return
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False)
        table.padding = (0, 1, 0, 0)
        for name in ("road", "client"):
            table.add_column(name, no_wrap=True)
        for name in ("action", "expected", "observed"):
            table.add_column(name, overflow="fold")
        table.add_column("", no_wrap=True)
        for row in rows:
            words = [row.road, row.client, row.action, row.expected]
            style = "" if row.good else "bold red"
            table.add_row(*map(Text, words), Text(row.observed, style), self._mark(row))
        self._print(Text())
        self._print(table)

    def end(self, rows: Sequence[Row], seconds: float, *, good: bool) -> None:
        """The verdict, and what to try next."""
        right = sum(row.good for row in rows)
        style = "bold green" if good else "bold red"
        verdict = f"{right} of {len(rows)} rows as expected"
        self._print(Text.assemble("\n", (verdict, style), f", after {seconds:.0f} s."))
        if not good:
            return
        self._print(
            Text.assemble(
                "\nNext, with a service of your own:\n",
                ("  make up", "bold"),
                "                                       (and in another terminal)\n",
                ("  export OS_CLIENT_CONFIG_FILE=/var/lib/roadstead/clouds.yaml\n", "bold"),
                (
                    "  .venv/bin/openstack --os-cloud roadstead share create NFS 1 --name photos\n",
                    "bold",
                ),
                (
                    "  .venv/bin/openstack --os-cloud roadstead share export location list photos",
                    "bold",
                ),
            )
        )

    def _mark(self, row: Row) -> Text:
        return Text(self._good, "green") if row.good else Text(self._bad, "bold red")

    def _timed(self, left: Text, seconds: float) -> None:
        """The line, with the seconds at the right edge where there is room for them."""
        took = f"{seconds:.1f} s"
        room = self.width - left.cell_len - len(took)
        if room > 0:
            left.append(" " * room)
            left.append(took, "dim")
        self._print(left)

    def _print(self, what: Text | Rule | Table) -> None:
        if self.console.is_terminal:
            self.console.print(what)
            return
        # A file needs no spaces up to the right edge.
        paper = io.StringIO()
        Console(file=paper, highlight=False, width=self.width, color_system=None).print(what)
        text = "".join(f"{line.rstrip()}\n" for line in paper.getvalue().splitlines())
        try:
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:
            # Nobody reads any more (`| head`): go on unseen, to the end and the cleaning up.
            self._file = io.StringIO()
