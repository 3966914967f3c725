"""A live service whose agent dies by SIGKILL at a named point."""

import os
import sys
from pathlib import Path
from typing import Any

from tests.live.service import Roadstead

_ROOT = Path(__file__).parents[2]


class Killable(Roadstead):
    """It starts an agent that died again at once, however often it dies."""

    command = (sys.executable, "-m", "tests.crash.up")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._armed = self.state / "kill-at"
        path = filter(None, [os.environ.get("PYTHONPATH"), str(_ROOT)])
        self.environ["PYTHONPATH"] = os.pathsep.join(path)
        self.environ["ROADSTEAD_TEST_KILL_FILE"] = str(self._armed)

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self._process is not None
        return self._process.pid

    def arm(self, point: str) -> Path:
        """The next agent that comes to `point` dies there; this file is gone when it has come."""
        (new := self._armed.with_suffix(".new")).write_text(point)
        new.rename(self._armed)
        return self._armed

    def deaths(self) -> int:
        """How many agents the supervisor saw die of SIGKILL."""
        return self.log.read_text().count("agent ended (SIGKILL)")
