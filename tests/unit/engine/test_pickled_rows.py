"""What somebody writes into the queue's tables is never run: not by DBOS, whatever format the row
names, and not by anything else in our processes."""

import ast
import base64
import io
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import roadstead
from roadstead.engine.dbos import DbosEngine, prepare
from roadstead.store.db import Database


class Intruder:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Queue:
    """Its tables, and somebody who may write them."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        prepare(url)
        self.db = Database(url)
        self.engine = DbosEngine(url, str(directory))
        schema = None if self.db.is_sqlite else "dbos"
        self.table, self.written = (
            sa.Table(name, sa.MetaData(), autoload_with=self.db.engine, schema=schema)
            for name in ("workflow_status", "workflow_input")
        )

    def submit(self, host: str) -> str:
        """An operation as the API enqueues one; its id."""
        operation_id = str(uuid.uuid4())
        with self.db.write() as tx:
            self.engine.submit(tx, operation_id, host)
        return operation_id

    def copy(self, operation_id: str, **changes: Any) -> str:
        """A row like that operation's, with these columns; its id."""
        copied = str(uuid.uuid4())
        with self.db.write() as tx:
            row = dict(tx.execute(self._row(operation_id)).mappings().one())
            tx.execute(self.table.insert().values({**row, "workflow_uuid": copied, **changes}))
        return copied

    def inputs(self, operation_id: str) -> str:
        """As the API wrote them."""
        query = self.written.select().where(self.written.c.workflow_uuid == operation_id)
        with self.db.read() as tx:
            return tx.execute(query).mappings().one()["inputs"]

    def status(self, operation_id: str) -> str:
        with self.db.read() as tx:
            return tx.execute(self._row(operation_id)).mappings().one()["status"]

    def _row(self, operation_id: str) -> sa.Select[Any]:
        return self.table.select().where(self.table.c.workflow_uuid == operation_id)

    @contextmanager
    def worker(self, host: str) -> Generator[subprocess.Popen[str]]:
        """The agent of that host takes from its queue."""
        argv = [sys.executable, "-m", "tests.unit.engine.queue_worker"]
        with subprocess.Popen(
            [*argv, self.url, host, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
            process.communicate()


@pytest.fixture
def queue(database_url, tmp_path) -> Generator[Queue]:
    found = Queue(database_url, tmp_path)
    yield found
    found.db.close()


def _pickled(value: object) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def _ways(intruder: Intruder, plain: str) -> Mapping[str, dict[str, Any]]:
    """Each way in which a row can bring a pickle along; `plain` are the inputs of a good one."""
    inputs = _pickled({"args": (intruder,), "kwargs": {}})
    named = {"inputs": inputs, "serialization": "py_pickle"}
    pickled = {"inputs": plain, "serialization": "py_pickle"}
    return {
        "named": named,
        "unnamed": {**named, "serialization": None},
        "in plain words": {**named, "serialization": "portable_json"},
        "as an error": {**pickled, "error": _pickled(intruder)},
        "as an output": {**pickled, "output": _pickled(intruder)},
        "begun already": {**named, "status": "PENDING", "executor_id": "host-a"},
    }


#
def test_pickled_rows_run_nothing_and_stop_nobody(queue: Queue, tmp_path):
    """Also those that another host wrote into the database they share."""
    first = queue.submit("host-a")
    hostile: dict[str, str] = {}
    for way in _ways(Intruder(tmp_path), ""):
        changes = _ways(Intruder(tmp_path / way), queue.inputs(first))[way]
        hostile[way] = queue.copy(first, **changes)
    for _start in range(2):
        with queue.worker("host-a") as worker:
            # The queue hands out the oldest first: what is asked for later comes later.
            last = queue.submit("host-a")
            assert worker.stdout is not None
            ran = [worker.stdout.readline()]
            while f"run {last}\n" not in ran:
                ran.append(worker.stdout.readline())
    assert [way for way in hostile if (tmp_path / way).exists()] == []
    assert {way: queue.status(row) for way, row in hostile.items()} == dict.fromkeys(
        hostile, "ERROR"
    )


def test_a_row_as_the_api_writes_it_is_run(queue: Queue):
    """The test above would pass with a worker that runs nothing."""
    with queue.worker("host-a") as worker:
        other = queue.submit("host-b")
        mine = queue.submit("host-a")
        assert worker.stdout is not None
        assert worker.stdout.readline() == f"run {mine}\n"
    assert queue.status(other) == "ENQUEUED"


READERS = {
    "C": "pickle.loads(data)",
    "Python": "pickle._loads(data)",
    "an unpickler of somebody's": "type('U', (pickle.Unpickler,), {})(io.BytesIO(data)).load()",
    "DBOS": "dbos._serialization.DefaultSerializer().deserialize(base64.b64encode(data).decode())",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_process_that_forbade_it_unpickles_plain_data_only(tmp_path, reader):
    script = f"""
import base64, io, pickle, sys
import dbos._serialization
from roadstead.engine.unpickling import forbid_unpickling
def load(data):
    return {READERS[reader]}
data = sys.stdin.buffer.read()
forbid_unpickling(); forbid_unpickling()
assert load(pickle.dumps({{"a": [1, "b", None]}})) == {{"a": [1, "b", None]}}
try:
    load(data)
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(Intruder(tmp_path / "ran")),
        capture_output=True,
    )
    assert b"posix.mkdir: refused" in done.stdout, done.stderr
    assert not (tmp_path / "ran").exists()


def test_every_process_of_ours_forbids_it():
    """Each module that is started as a program and can reach the database."""
    source = Path(roadstead.__file__).parent
    programs = [p for p in source.rglob("*.py") if '__name__ == "__main__"' in p.read_text()]
    programs.append(source / "cli" / "main.py")
    drivers = source / "drivers"  # they know no database: import-linter sees to it
    reached = [p for p in programs if drivers not in p.parents]
    assert len(reached) >= 4
    for program in reached:
        assert _first_call(program) == "forbid_unpickling", program


def _first_call(program: Path) -> str | None:
    tree = ast.parse(program.read_text())
    mains = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main"]
    for node in mains[0].body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return ast.unparse(node.value.func)
        if not isinstance(node, ast.Expr):
            return None
    return None


def test_an_intruder_gets_in_where_nobody_forbade_it(tmp_path):
    """What the tests above hold away is real."""
    pickle.load(io.BytesIO(pickle.dumps(Intruder(tmp_path / "ran"))))  # noqa: S301
    assert (tmp_path / "ran").exists()
