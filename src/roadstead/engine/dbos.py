"""Dispatch by DBOS, on SQLite or PostgreSQL: one queue per host, a workflow without steps that
calls `run_operation`. The journal of an operation is our own; DBOS only makes sure somebody
runs it."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from dbos._serialization import DBOSPortableJSON, DefaultSerializer

from roadstead.engine import wake
from roadstead.engine.base import RunOperation
from roadstead.store.db import Tx

WORKFLOW = "run_operation"
# Operations survive an upgrade of the service: any version may run them.
APP_VERSION = "1"
_NAME = "roadstead"
_SCHEMA = "dbos"
# The longest an operation waits when its nudge is lost.
POLL_SECONDS = 1.0
CONCURRENCY = 8


class _NoPickle:
    """In place of DBOS's pickles: a row may still name that format, whatever ours is."""

    def deserialize(self, _text: str) -> object:
        raise ValueError("a pickled row of the queue: refused")

    def serialize(self, data: object) -> str:
        return json.dumps(str(data))  # of the refusal: with it the row is done with


DefaultSerializer.deserialize = _NoPickle.deserialize  # pyright: ignore[reportAttributeAccessIssue]
DefaultSerializer.serialize = _NoPickle.serialize  # pyright: ignore[reportAttributeAccessIssue]


def queue_name(host: str) -> str:
    """The queue of one agent."""
    return f"host-{host}"


def prepare(url: str) -> None:
    """DBOS's own tables are there, in the same database."""
    DBOS.migrate(url, schema=_SCHEMA)


class DbosEngine:
    """The submitting side: a client only, no workers."""

    def __init__(self, url: str, run_directory: str) -> None:
        self._client = DBOSClient(
            system_database_url=url,
            lazy=True,
            dbos_system_schema=_SCHEMA,
            application_name=_NAME,
            serializer=DBOSPortableJSON,
        )
        self._run_directory = run_directory

    def submit(self, tx: Tx, operation_id: str, host: str) -> None:
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": queue_name(host),
            "workflow_id": operation_id,
            "app_version": APP_VERSION,
        }
        self._client.enqueue_in_transaction(tx, options, operation_id)

    def wake(self, host: str, operation_ids: Sequence[str]) -> None:
        wake.send(self._run_directory, operation_ids)

    def nudge(self, host: str) -> None:
        wake.send(self._run_directory, [wake.NUDGE])


class DbosWorker:
    """The agent's side: DBOS's queue and our nudges lead to the same `run`."""

    def __init__(self, url: str, host: str, run_directory: str, *, wake_gid: int = -1) -> None:
        self._url, self._host = url, host
        self._run_directory, self._wake_gid = run_directory, wake_gid
        self._threads = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="operation")
        self._timers: set[threading.Timer] = set()
        self._run: RunOperation | None = None
        self._nudged: Callable[[], object] | None = None
        self._listener: wake.Listener | None = None

    def start(self, run: RunOperation, nudged: Callable[[], object]) -> None:
        self._run, self._nudged = run, nudged
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": self._url,
            "dbos_system_schema": _SCHEMA,
            "application_version": APP_VERSION,
            "executor_id": self._host,
            "log_level": "ERROR",
            "run_migrations": False,
            "use_listen_notify": False,
            "max_executor_threads": CONCURRENCY,
            "sys_db_pool_size": 5,
            "serializer": DBOSPortableJSON,
        }
        DBOS(config=config)

        @DBOS.workflow(name=WORKFLOW)
        def run_operation(operation_id: str) -> None:  # pyright: ignore[reportUnusedFunction]
            if isinstance(operation_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                run(operation_id)

        name = queue_name(self._host)
        DBOS.listen_queues([name])
        DBOS.launch()
        DBOS.register_queue(
            name, worker_concurrency=CONCURRENCY, polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )  # fmt: skip
        self._listener = wake.Listener(self._run_directory, self._hear, gid=self._wake_gid)

    def _hear(self, text: str) -> None:
        if text != wake.NUDGE:
            self.adopt(text)
        elif self._nudged is not None:
            self._threads.submit(self._nudged)

    def adopt(self, operation_id: str) -> None:
        if self._run is not None:
            self._threads.submit(self._run, operation_id)

    def retry(self, operation_id: str, seconds: float) -> None:
        """`run` is called again after so many seconds; if we die first, the sweep does it."""
        timer = threading.Timer(max(seconds, 0.05), self._fire, (operation_id,))
        timer.daemon = True
        self._timers = {t for t in self._timers if t.is_alive()} | {timer}
        timer.start()

    def _fire(self, operation_id: str) -> None:
        if self._run is not None:
            self._threads.submit(self._run, operation_id)

    def stop(self) -> None:
        self._run = None
        for timer in self._timers:
            timer.cancel()
        if self._listener is not None:
            self._listener.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        DBOS.destroy(workflow_completion_timeout_sec=5)
