"""What `api.server.serve` takes of granian that granian does not promise to anybody."""

import http.client
import inspect
import signal
import socket
import subprocess
import sys
from importlib import metadata

import pytest
from granian._futures import _new_cbscheduler
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.wsgi import _callback_wrapper

WORKER = "worker_id sock ipc threads blocking_threads py_threads py_threads_idle_timeout"
TLS = "enabled cert key key_password protocol_min ca crl client_verify"
_SERVE = "serve_mtr"  # not in granian's own types
KNOWN = {
    WSGIWorker: (
        f"{WORKER} backpressure http_mode http1_opts http2_opts static_files "
        f"{' '.join(f'ssl_{name}' for name in TLS.split())} metrics"
    ),
    getattr(WSGIWorker, _SERVE): "self callback event_loop signal",
    SocketHolder: "fd uds backlog",
    WorkerSignal: "",
    WorkerSignal.add_cb: "self cb",
    WorkerSignal.set: "self",
    _new_cbscheduler: "loop cb impl_asyncio",
    _callback_wrapper: "callback scope_opts access_log_fmt",
}
SERVER = """
import socket, sys
from roadstead.api.server import serve
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
serve(app, socket.socket(fileno=int(sys.argv[1])), 2)
"""


@pytest.mark.parametrize("thing", KNOWN, ids=lambda thing: thing.__qualname__)
def test_granian_has_what_is_called(thing):
    found = " ".join(inspect.signature(thing).parameters)
    assert found == KNOWN[thing], (
        f"granian {metadata.version('granian')} wants other arguments of {thing.__qualname__}. "
        "Compare api/server.py, serve, with granian/server/mp.py, _spawn_wsgi_worker, and then "
        "change this table and the bound in pyproject.toml."
    )


def test_it_answers_until_it_is_told_to_end():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(listener.fileno())], pass_fds=[listener.fileno()]
        )
        try:
            asked = http.client.HTTPConnection(*listener.getsockname(), timeout=60)
            asked.request("GET", "/some/where")
            assert asked.getresponse().read() == b"/some/where"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            process.wait()
