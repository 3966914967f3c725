"""The test servers do what the tests expect of them, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import create_engine, text

from tests.services.keystone import Keystone
from tests.services.postgres import Postgres
from tests.waiting import until


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.pg
class TestPostgres:
    def test_database_is_a_copy_of_its_template(self, postgres: Postgres) -> None:
        url = postgres.create_database("copy_source")
        source = create_engine(url)
        with source.begin() as connection:
            connection.execute(text("CREATE TABLE t AS SELECT 42 AS answer"))
        source.dispose()
        copy = create_engine(postgres.create_database("copy_target", template="copy_source"))
        with copy.begin() as connection:
            assert connection.scalar(text("SELECT answer FROM t")) == 42
            connection.execute(text("DELETE FROM t"))
        with source.begin() as connection:
            assert connection.scalar(text("SELECT count(*) FROM t")) == 1
        source.dispose()
        copy.dispose()
        postgres.drop_database("copy_target")
        postgres.drop_database("copy_source")

    def test_drop_database_cuts_connections(self, postgres: Postgres) -> None:
        postgres.create_database("in_use")
        connection = psycopg.connect(f"host={postgres.directory} user=postgres dbname=in_use")
        postgres.drop_database("in_use")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        postgres.drop_database("in_use")

    def test_every_user_reaches_the_socket_and_no_tcp_port_is_open(
        self, postgres: Postgres
    ) -> None:
        query = ["psql", "-h", str(postgres.directory), "-U", "postgres", "-At"]
        as_nobody = ["setpriv", "--reuid", "nobody", "--clear-groups", *query]
        answer = subprocess.check_output(
            [*as_nobody, "-c", "SHOW listen_addresses"], text=True, cwd="/"
        )
        assert answer == "\n"


class TestKeystone:
    def test_token_is_issued_and_validated(self, keystone: Keystone) -> None:
        found = keystone.validate(keystone.token("alice", "tenA"))
        assert found
        assert found["project"]["id"] == keystone.projects["tenA"]
        assert found["user"]["id"] == keystone.users["alice"]
        assert {role["name"] for role in found["roles"]} == {"member", "reader"}

    def test_bogus_token_is_unknown(self, keystone: Keystone) -> None:
        assert keystone.validate("bogus") is None

    @pytest.mark.parametrize(("user", "project"), [("alice", "tenB"), ("bob", "tenA")])
    def test_foreign_project_is_refused(self, keystone: Keystone, user: str, project: str) -> None:
        with pytest.raises(requests.HTTPError, match="401"):
            keystone.token(user, project)

    def test_service_users_hold_the_service_role(self, keystone: Keystone) -> None:
        for user in ("roadstead", "nova"):
            found = keystone.validate(keystone.token(user, "service"))
            assert found
            assert {"service", "admin"} <= {role["name"] for role in found["roles"]}

    def test_seeded_endpoints_are_in_the_catalog(self, keystone: Keystone) -> None:
        for url in ("http://127.0.0.1:1/v2", "http://127.0.0.1:2/v2"):
            keystone.seed({"x-test": url})
            found = keystone.validate(keystone.token("alice", "tenA"))
            assert found
            catalog = {entry["type"]: entry["endpoints"] for entry in found["catalog"]}
            assert {endpoint["url"] for endpoint in catalog["x-test"]} == {url}
            assert {endpoint["url"] for endpoint in catalog["identity"]} == {keystone.url}


HOLDER = """
    import json, os, sys, time
    from tests.services.{module} import {name}
    with {name}() as server:
        print(json.dumps([server.program.pid, os.fspath(server.directory)]), flush=True)
        if sys.argv[1] == "hold":
            time.sleep(60)
"""


@pytest.mark.pg
@pytest.mark.parametrize("end", ["leave", "hold"])
@pytest.mark.parametrize(("module", "name"), [("postgres", "Postgres"), ("keystone", "Keystone")])
def test_nothing_is_left(module: str, name: str, end: str) -> None:
    """Neither after the normal end nor after SIGKILL."""
    code = textwrap.dedent(HOLDER.format(module=module, name=name))
    holder = subprocess.Popen([sys.executable, "-c", code, end], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    pid, directory = json.loads(holder.stdout.readline())
    if end == "hold":
        assert is_running(pid)
        os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    until(lambda: not is_running(pid), "the program has ended", seconds=10)
    until(lambda: not Path(directory).exists(), "its directory is gone", seconds=10)
