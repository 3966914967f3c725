"""A live service that can be killed at a named point, again and again."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from roadstead.config.load import load
from tests.crash.census import Census, Findings
from tests.crash.host import ComputeHost
from tests.crash.scenario import attachment_state
from tests.crash.tenancy import Tenancy
from tests.lab.segment import Segment
from tests.live.killable import Killable
from tests.live.service import children_of
from tests.services.postgres import Postgres
from tests.temporary import Temporary
from tests.waiting import in_time, until

DATABASES = ("sqlite", "postgresql")
KILL_SECONDS = 20.0  # until the armed point is reached
END_SECONDS = 60.0  # until every operation has ended, from the kill on
CLEAN_SECONDS = 15.0  # until the world agrees, when every operation has ended
# Rules that differ are put right within this time; leaks only at a start, or a minute later.
_SWEEP_SECONDS = 3


class NotKilled(Exception):
    """The agent did not die where it was to."""


class Stage(Temporary):
    """The service runs between enter and exit, on a database of its own."""

    def __init__(self, database: str, *, host: bool = False, tenancy: bool = False) -> None:
        """`host`: it is a compute host, too, with libvirtd and VMs. `tenancy`: its shares are on
        tenants' networks, and only there."""
        self.database = database
        self.has_host, self.has_tenancy = host, tenancy

    def _make(self, undo: ExitStack) -> None:
        url = ""
        if self.database == "postgresql":
            url = undo.enter_context(Postgres()).create_database("roadstead")
        segment = None if self.has_tenancy else undo.enter_context(Segment())
        self.service = Killable(segment, database=url, settings=_SETTINGS)
        if self.has_tenancy:
            self.tenancy = undo.enter_context(Tenancy(self.service))
        if self.has_host and segment is not None:
            self.host = undo.enter_context(ComputeHost(segment, self.service))
        undo.enter_context(self.service)
        self.api, self.admin = self.service.api(), self.service.api("roadstead-admin")
        self.census = Census(load(None, {}, self.service.state))
        undo.callback(self.census.close)
        if self.has_host:
            self.host.begin(undo)
        if self.has_tenancy:
            self.tenancy.begin()

    @property
    def state(self) -> Path:
        return self.service.state

    @property
    def agent_pid(self) -> int:
        """The agent that is ready."""
        pid = self.service.agent_pid
        assert pid is not None, "there is no agent"
        return pid

    @property
    def api_pid(self) -> int:
        """The process that answers HTTP."""
        (pid,) = self._api_pids()
        return pid

    def _api_pids(self) -> set[int]:
        return set(children_of(self.service.pid)) - {self.agent_pid}

    # --- killing ------------------------------------------------------------------------------

    def killed_at(self, point: str, act: Callable[[], object]) -> None:
        """`act` was done, and the agent came to `point`, died of SIGKILL there. NotKilled if not.
        Another one starts already."""
        before, armed = self.deaths(), self.service.arm(point)
        try:
            act()
            if not in_time(lambda: not armed.exists(), KILL_SECONDS):
                raise NotKilled(f"the agent never came to {point}")
        finally:
            armed.unlink(missing_ok=True)
        if not in_time(lambda: self.deaths() > before, KILL_SECONDS):
            raise NotKilled(f"the agent came to {point} and lives")

    def kill_all(self) -> None:
        """Supervisor, API and agent died of SIGKILL; the exports go on."""
        pids = [self.service.pid, *children_of(self.service.pid)]
        self.service.kill()

        def alive() -> list[int]:
            return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

        until(lambda: not alive(), "everything is dead", seconds=KILL_SECONDS, why=alive)

    def deaths(self) -> int:
        """How many agents the supervisor saw die of SIGKILL."""
        return self.service.deaths()

    # --- afterwards ---------------------------------------------------------------------------

    def wait_agent(self, *, other_than: int) -> None:
        """Another agent is ready."""
        until(
            lambda: self.service.agent_pid not in (None, other_than), "another agent is ready",
            seconds=END_SECONDS, why=self._said,
        )  # fmt: skip

    def wait_api(self, *, other_than: int) -> None:
        """Another API process answers."""
        until(
            lambda: self._api_pids() - {other_than}, "another API runs",
            seconds=END_SECONDS, why=self._said,
        )  # fmt: skip
        until(self.api.healthy, "the new API answers", seconds=END_SECONDS, why=self._said)

    def wait_idle(self) -> None:
        """Every operation has ended, or had the time to."""
        in_time(lambda: not self.census.live_operations(), END_SECONDS)

    def wait_state(self, attachment_id: str, wanted: str) -> None:
        """The attachment is in that state."""

        def state() -> object:
            return attachment_state(self.api, attachment_id)

        until(
            lambda: state() == wanted, f"attachment {attachment_id} is {wanted}",
            seconds=END_SECONDS, why=state,
        )  # fmt: skip

    def settle(self) -> Findings:
        """Every operation has ended and the world agrees with the database, else what is wrong."""
        self.wait_idle()
        found = Findings()

        def agrees() -> bool:
            nonlocal found
            found = self.census.take(self.api.get("/limits")["limits"]["absolute"])
            return not found

        in_time(agrees, CLEAN_SECONDS, pause=0.1)
        return found

    def _said(self) -> str:
        return self.service.log.read_text()[-2000:]

    def remove_all(self) -> None:
        """No share is left in the API, no attachment and no share network."""
        self._detach_all()
        shares = [share["id"] for share in self.api.get("/shares")["shares"]]
        for share_id in shares:
            self.admin.act(share_id, "force_delete")
        for share_id in shares:
            self.api.wait_gone(f"/shares/{share_id}")
        if self.has_tenancy:
            self.tenancy.remove_all(self.api)

    def _detach_all(self) -> None:
        if not self.has_host:
            return
        url = f"{self.api.url}/roadstead/v1/attachments"

        def left() -> list[str]:
            return [a["id"] for a in self.api.session.get(url, timeout=60).json()["attachments"]]

        for attachment_id in left():
            self.api.session.delete(f"{url}/{attachment_id}", timeout=60)
        until(lambda: not left(), "nothing is attached", seconds=END_SECONDS, why=left)


_SETTINGS = {
    "sweep_interval_seconds": _SWEEP_SECONDS,
    "leak_grace_seconds": 0,
    # What fails again and again fails for good soon: after 3.7 s, by the runner's backoff.
    "operation_timeout_seconds": 3,
    "backends": {"local": {"pool_options": {"backing_gib": 8}}},
}
