"""The demo's scene runner, with roads made up here: what it shows, its exit code, its cleaning."""

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import direct, hypervisor, scene, stage
from demo.roads import ROADS
from demo.scene import Act, Road, Seen
from demo.screen import WIDTH, Screen
from demo.together import enter_together
from tests.waiting import until

Play = Callable[[Act, ExitStack], None]


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def run(shown, monkeypatch) -> Callable[..., int]:
    """Plays made-up roads, as root, and answers with the exit code."""
    monkeypatch.setattr("os.geteuid", lambda: 0)

    def runs(*plays: Play, **needs) -> int:
        roads = [Road(f"road{n}", "made up", play, **needs) for n, play in enumerate(plays)]
        return scene.run(roads, Screen(shown))

    return runs


def good(act: Act, stack: ExitStack) -> None:
    act.row("vm-a", "reads", "hello", lambda: Seen(True, "hello"))


def test_all_as_expected_is_0(run, shown):
    def play(act: Act, stack: ExitStack) -> None:
        with act.step("vm-a boots"):
            pass
        with act.command(["openstack", "share", "list"]):
            pass
        act.screen.output("one\ntwo\n")
        good(act, stack)

    assert run(play) == 0
    lines = shown.getvalue().splitlines()
    assert "$ openstack share list" in shown.getvalue()
    assert any(line.split() == "✓ vm-a boots 0.0 s".split() for line in lines)
    assert any(line.split() == "road0 vm-a reads hello hello ✓".split() for line in lines)
    assert "1 of 1 rows as expected" in shown.getvalue()
    assert "make up" in shown.getvalue()


def test_no_line_is_wider_than_it_may_be(run, shown):
    def play(act: Act, stack: ExitStack) -> None:
        with act.command(["openstack", "x" * (WIDTH - 15)]):
            pass
        act.row("vm-a", "a" * 33, "e" * 60, lambda: Seen(True, "o" * 60))

    assert run(play) == 0
    assert max(map(len, shown.getvalue().splitlines())) <= WIDTH
    assert "\x1b" not in shown.getvalue()


@pytest.mark.parametrize("wrong", [Seen(False, "bye"), LookupError("lost\nits way")])
def test_one_row_that_differs_is_1_and_the_others_are_played(run, shown, wrong):
    def observe() -> Seen:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    def play(act: Act, stack: ExitStack) -> None:
        act.row("vm-b", "reads", "hello", observe)
        good(act, stack)

    assert run(play) == 1
    text = shown.getvalue()
    assert "1 of 2 rows as expected" in text
    seen = "lost" if isinstance(wrong, Exception) else "bye"
    assert any(
        line.split() == f"road0 vm-b reads hello {seen} ✗".split() for line in text.split("\n")
    )
    assert "make up" not in text


def test_an_error_is_1_and_cleans_up_and_the_next_road_is_played(run, shown):
    cleaned: list[str] = []

    def play(act: Act, stack: ExitStack) -> None:
        stack.callback(cleaned.append, "first")
        stack.callback(cleaned.append, "second")
        with act.step("the service starts"):
            raise RuntimeError("no port\nlog " * 30 + "the reason")

    assert run(play, good) == 1
    assert cleaned == ["second", "first"]
    text = shown.getvalue()
    assert "the road0 road stopped here" in text
    assert "the reason" in text
    assert "Traceback" not in text
    assert "1 of 1 rows as expected" in text


def test_no_row_at_all_is_1(run, shown):
    assert run(lambda act, stack: None) == 1
    assert "observed" not in shown.getvalue()


def test_an_error_while_another_was_undone_shows_both(run, shown):
    def play(act: Act, stack: ExitStack) -> None:
        try:
            raise OSError("port taken")
        finally:
            raise RuntimeError("still mounted")

    assert run(play) == 1
    assert "still mounted" in shown.getvalue()
    assert "port taken" in shown.getvalue()


def test_a_reader_that_went_away_does_not_stop_the_cleaning(run, shown, monkeypatch):
    cleaned: list[str] = []

    def play(act: Act, stack: ExitStack) -> None:
        stack.callback(cleaned.append, "all of it")
        monkeypatch.setattr(shown, "write", gone)
        good(act, stack)

    def gone(text: str) -> int:
        raise BrokenPipeError

    assert run(play) == 0
    assert cleaned == ["all of it"]


def test_a_clean_up_that_fails_is_1_and_the_rest_is_still_cleaned(run, shown):
    cleaned: list[str] = []

    def fail() -> None:
        raise OSError("busy mount")

    def play(act: Act, stack: ExitStack) -> None:
        stack.callback(cleaned.append, "mount")
        stack.callback(fail)
        good(act, stack)

    assert run(play) == 1
    assert cleaned == ["mount"]
    assert "busy mount" in shown.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_cleans_up_and_a_second_one_does_not_stop_that(run, shown, number):
    cleaned: list[str] = []
    before = signal.getsignal(number)

    def play(act: Act, stack: ExitStack) -> None:
        stack.callback(cleaned.append, "all of it")
        stack.callback(signal.raise_signal, number)
        act.row("vm-a", "waits", "-", lambda: Seen(bool(signal.raise_signal(number)), "-"))

    assert run(play, good) == 130
    assert cleaned == ["all of it"]
    assert "interrupted" in shown.getvalue()
    assert "road1" not in shown.getvalue().replace("Road: road0, road1.", "")
    assert signal.getsignal(number) is before


def test_what_is_missing_is_said_and_nothing_is_played(run, shown, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    needs = {"programs": ("sh", "no-such-program"), "devices": ("/dev/no-such-device",)}
    assert run(good, **needs) == 1
    text = shown.getvalue()
    assert "sudo make demo" in text
    assert "no-such-program. Try: make setup" in text
    assert "/dev/no-such-device" in text
    assert "as expected" not in text


class Tent:
    """Says what happens to it."""

    def __init__(self, name: str, told: list[str], error: Exception | None = None) -> None:
        self.name, self.told, self.error = name, told, error

    def __enter__(self) -> None:
        if self.error:
            raise self.error
        self.told.append(f"in {self.name}")

    def __exit__(self, *error: object) -> None:
        self.told.append(f"out {self.name}")


def test_entered_together_and_left_last_first(run):
    told: list[str] = []

    def play(act: Act, stack: ExitStack) -> None:
        enter_together(act, stack, {name: Tent(name, told) for name in "abc"})
        good(act, stack)

    assert run(play) == 0
    assert sorted(told[:3]) == ["in a", "in b", "in c"]
    assert told[3:] == ["out c", "out b", "out a"]


def test_what_was_entered_is_left_when_another_fails(run, shown):
    told: list[str] = []

    def play(act: Act, stack: ExitStack) -> None:
        tents = {"a": Tent("a", told), "b": Tent("b", told, OSError("no ground"))}
        enter_together(act, stack, tents)

    assert run(play) == 1
    assert told == ["in a", "out a"]
    assert "no ground" in shown.getvalue()


def test_the_roads_are_shown_and_say_what_they_need():
    assert [road.name for road in ROADS] == ["direct", "hypervisor", "network", "gateway"]
    assert "libvirtd" in hypervisor.ROAD.programs
    assert len({road.name for road in ROADS}) == len(ROADS)
    assert {"ganesha.nfsd", "qemu-system-x86_64"} <= set(direct.ROAD.programs)


def test_traces_and_files_are_found_by_name(tmp_path):
    word = f"trace-{tmp_path.name}"
    (tmp_path / f"image-{word}").touch()
    (tmp_path / "export.conf").write_text(f"Path = /{word};")
    (tmp_path / "service.log").write_text(word)
    found = stage.files_with(word, tmp_path)
    assert sorted(Path(path).name for path in found) == ["export.conf", f"image-{word}"]
    assert stage.traces(word) == []
    with subprocess.Popen(["sh", "-c", "read _", word], stdin=subprocess.PIPE) as process:
        try:
            # A process has its name only a moment after it is there.
            begin = f"process {process.pid}: sh"
            until(
                lambda: any(t.startswith(begin) for t in stage.traces(word)), begin,
                seconds=10, why=lambda: stage.traces(word),
            )  # fmt: skip
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def test_an_unknown_road_is_refused_by_name():
    argv = [sys.executable, "-m", "demo", "tunnel"]
    root = Path(__file__).parents[1]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 2
    assert "no road is called tunnel" in done.stderr
    assert "direct" in done.stderr
