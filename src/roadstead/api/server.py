"""The API: one process, granian's HTTP in it, a few threads that run our code.

`python -m roadstead.api.server --config FILE [--fd N]`. The file is the effective configuration
that the supervisor wrote; N is a listening socket it holds for us.
"""

import roadstead.process.slim  # noqa: F401  # pyright: ignore[reportUnusedImport] -- first

# isort: split

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import structlog
from granian._futures import _new_cbscheduler  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from granian._granian import SocketHolder, WorkerSignal, WSGIWorker
from granian.wsgi import _callback_wrapper  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]

from roadstead.api.auth import Authenticator, NoAuth
from roadstead.api.policy import Policy
from roadstead.config.load import load, read_effective
from roadstead.config.sections import Config, KeystoneConfig
from roadstead.engine.unpickling import forbid_unpickling
from roadstead.model.errors import ConfigError
from roadstead.process.log import setup_logging
from roadstead.process.privileges import account_of, die_with_parent, forbid_new_privileges

_BACKLOG = 1024
_IDLE_SECONDS = 600  # how long granian keeps a thread that nobody needs


def make_authenticator(config: Config) -> Authenticator:
    """What `api.auth` names. ConfigError when its users file or library is missing."""
    if config.api.auth == "none":
        return NoAuth()
    if config.api.auth == "http_basic":
        from roadstead.api.auth_basic import BasicAuth

        return BasicAuth(Path(config.api.users_file))
    from roadstead.api.auth_keystone import KeystoneAuth

    try:
        return KeystoneAuth(keystone_settings(config.api.keystone))
    except ImportError as error:
        raise ConfigError("api.auth: install roadstead[openstack] for keystone") from error


def keystone_settings(keystone: KeystoneConfig) -> dict[str, str]:
    """keystonemiddleware's options."""
    settings = {
        "auth_type": "password",
        "auth_url": keystone.auth_url,
        "www_authenticate_uri": keystone.www_authenticate_uri or keystone.auth_url,
        "username": keystone.username,
        "password": keystone.password,
        "project_name": keystone.project_name,
        "user_domain_id": keystone.user_domain_id,
        "project_domain_id": keystone.project_domain_id,
        "region_name": keystone.region_name,
        "cafile": keystone.cafile,
        "service_token_roles": ",".join(keystone.service_token_roles),
    }
    return {key: value for key, value in settings.items() if value}


def build(config: Config) -> Callable[..., Any]:
    """The WSGI application, complete."""
    from roadstead.api.app import make_app
    from roadstead.service.start import make_service

    return make_app(
        make_service(config),
        auth=make_authenticator(config),
        policy=Policy(Path(config.api.policy_file)) if config.api.policy_file else None,
        public_url=config.api.base_url or None,
    )


def serve(app: Callable[..., Any], listener: socket.socket, threads: int) -> None:
    """Requests at `listener` are answered until SIGTERM or SIGINT.

    granian's own server would keep a second Python process only to watch this one, which the
    supervisor does; its worker runs here instead (as granian.server.mp does, 2.8).
    """
    ended, stop = threading.Event(), WorkerSignal()
    stop.add_cb(ended.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    holder = cast(Any, SocketHolder)(listener.fileno(), False, _BACKLOG)
    # Neither TLS, which is a proxy's business, nor static files, nor metrics of its own.
    worker = cast(Any, WSGIWorker)(
        worker_id=1,
        sock=(None, holder),
        ipc=None,  # no channel to a parent
        threads=1,  # that speak HTTP
        blocking_threads=16,  # the most for its own blocking work
        py_threads=threads,
        py_threads_idle_timeout=_IDLE_SECONDS,
        backpressure=_BACKLOG,
        http_mode="1",  # HTTP/1.1 only: what every client of this API speaks
        metrics=(None, None),
    )
    scheduler = cast(Any, _new_cbscheduler)(
        asyncio.new_event_loop(), cast(Any, _callback_wrapper)(app, {}), impl_asyncio=True
    )
    worker.serve_mtr(scheduler, None, stop)
    ended.wait()


def _checked(config: Config) -> Config:
    """ConfigError as `roadstead up` says it, where this process is started without."""
    from roadstead.roads.registry import check

    check(config)
    return config


def main(argv: Sequence[str]) -> int:
    """Serves until told to end; 1 when it cannot."""
    forbid_unpickling()
    options = dict(zip(argv[::2], argv[1::2], strict=False))
    setup_logging()
    try:
        file = options.get("--config", "")
        config = read_effective(file) if file.endswith(".json") else _checked(load(file or None))
        app = build(config)
        listener = _listener(config, options.get("--fd"))
        if os.geteuid() == 0:
            parent = os.getppid()
            account_of(config.api.user).drop()
            die_with_parent(parent)
        forbid_new_privileges()
    except (ConfigError, OSError) as error:
        structlog.get_logger().error("the API cannot start", error=str(error))
        return 1
    serve(app, listener, config.api.threads)
    return 0


def _listener(config: Config, fd: str | None) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=int(fd))
    family = socket.AF_INET6 if ":" in config.api.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((config.api.bind, config.api.port))
    listener.listen(_BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
