"""Answers `openstack …` commands in a fraction of the program's own start-up time.

Run as a program of its own: it imports the stock client once and forks for each command it reads,
so each one runs the unmodified client in a process of its own. One JSON object per line, in:
{"argv", "environ"}; out: {"status", "out", "err"}.
"""

import contextlib
import importlib
import importlib.metadata
import io
import json
import logging
import os
import sys
import tempfile
from typing import Any, BinaryIO

from openstackclient import shell

# Nobody answers at port 1, but to find that out the client loads nearly all it ever needs.
IN_VAIN = [
    *("--os-auth-type", "none", "--os-endpoint", "http://127.0.0.1:1/v2"),
    *("share", "list", "-f", "json"),
]


def warm_up() -> None:
    """What commands load is loaded, and nothing else has changed."""
    for entry in importlib.metadata.entry_points(group="openstack.share.v2"):
        importlib.import_module(entry.module)
    importlib.import_module("cliff.formatters.json_format")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        shell.main(IN_VAIN)
    logging.getLogger().handlers.clear()


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What the command printed, and its exit status."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            become_command(asked, out, err)
        _, state = os.waitpid(pid, 0)
        return {
            "status": os.waitstatus_to_exitcode(state),
            "out": _text(out),
            "err": _text(err),
        }


def become_command(asked: dict[str, Any], out: BinaryIO, err: BinaryIO) -> None:
    """This process is that command, and ends with it."""
    status = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        for name in [name for name in os.environ if name.startswith("OS_")]:
            del os.environ[name]
        os.environ.update(asked["environ"])
        sys.argv = ["openstack", *asked["argv"]]
        status = shell.main(asked["argv"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def main() -> None:
    """Answers until the end of the input."""
    # The replies' own channel: nothing that a library prints can get between them.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warm_up()
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
