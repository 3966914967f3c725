"""A real HTTP server before a service in this process, and `roadstead` typed against it."""

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import structlog.testing
from typer.testing import CliRunner

from roadstead.api.app import make_app
from roadstead.api.auth import NoAuth
from roadstead.cli.main import app
from roadstead.service.context import Service

Run = Callable[..., tuple[int, str]]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_args: object) -> None: ...


@contextlib.contextmanager
def serving(handler: Any) -> Generator[str]:
    """The URL at which this WSGI application answers."""
    server = make_server("127.0.0.1", 0, handler, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    # The service's log would mix with the command's output: they share a process only here.
    with structlog.testing.capture_logs():
        yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def commands(service: Service) -> Generator[Run]:
    """Types a command as somebody who may do everything: exit status and output."""
    with serving(make_app(service, auth=NoAuth())) as url:
        yield lambda *argv: typed({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"{url}/v2"}, *argv)


def typed(environ: dict[str, str], *argv: str) -> tuple[int, str]:
    """Exit status, and all that a person sees."""
    done = CliRunner().invoke(app, argv, env=environ)
    assert isinstance(done.exception, SystemExit | None), done.exc_info
    return done.exit_code, done.output
