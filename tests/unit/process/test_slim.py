"""What stays in memory for good: the two processes of the service load only what they use."""

import subprocess
import sys

import pytest

UNUSED = (
    "rich pygments typer alembic requests openstack keystoneauth1 roadstead.conformance pytest"
).split()


@pytest.mark.parametrize(
    "start",
    [
        "import roadstead.agent.__main__",
        "import roadstead.api.server, roadstead.api.app, roadstead.engine.dbos, "
        "roadstead.api.policy as p; p.Policy()",
    ],
    ids=["agent", "API"],
)
def test_a_process_that_stays_loads_no_library_it_does_not_use(start):
    script = f"import sys; {start}; print(*(m for m in {UNUSED} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == []


def test_what_was_hidden_from_structlog_is_there_for_others():
    script = (
        "import roadstead.process.slim, structlog, rich.table; print(structlog.dev.plain_traceback)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
