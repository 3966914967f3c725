"""The WSGI application: from a request to a handler and back.

Order: identity, route, microversion, project in the URL, route at that version, policy, handler.
"""

import re
from collections.abc import Iterable
from typing import Any

import falcon
import msgspec
import structlog

from roadstead.api import discovery, errors, versions
from roadstead.api.auth import Authenticator, AuthUnavailable, NoIdentity
from roadstead.api.call import Address, Call
from roadstead.api.errors import Answer
from roadstead.api.policy import Policy
from roadstead.api.route import V2, Found, Route, Router, choose
from roadstead.api.routes import ROUTES
from roadstead.api.routes_v1 import ROUTES_V1
from roadstead.model.errors import BadRequest
from roadstead.model.ids import request_id
from roadstead.service.context import Caller, Service

MAX_BODY = 114688
METRICS = "/metrics"
PROJECT = r"[0-9a-f\-]{1,64}|roadstead"

_log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def make_app(
    service: Service,
    *,
    auth: Authenticator,
    policy: Policy | None = None,
    public_url: str | None = None,
    project_pattern: str = PROJECT,
    routes: Iterable[Route] = (*ROUTES, *ROUTES_V1),
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application; further falcon routes may be added, they go first. `public_url` is what
    links begin with when a proxy hides the address that clients use."""
    gate = _Gate(
        service,
        auth,
        policy or Policy(),
        (public_url or "").rstrip("/"),
        re.compile(project_pattern),
        _routers(routes),
    )
    app = falcon.App()
    app.add_sink(gate.answer, r"/")
    return app


def _routers(routes: Iterable[Route]) -> dict[str, Router]:
    """A router for each prefix of the table."""
    by_prefix: dict[str, list[Route]] = {}
    for route in routes:
        by_prefix.setdefault(route.prefix, []).append(route)
    return {prefix: Router(found) for prefix, found in by_prefix.items()}


class _Gate:
    def __init__(
        self,
        service: Service,
        auth: Authenticator,
        policy: Policy,
        public_url: str,
        project: re.Pattern[str],
        routers: dict[str, Router],
    ) -> None:
        self._service = service
        self._auth = auth
        self._policy = policy
        self._public_url = public_url
        self._project = project
        self._routers = routers

    def answer(self, req: falcon.Request, resp: falcon.Response, **_kwargs: str) -> None:
        """Every request without a falcon route of its own ends here, and always gets an answer."""
        rid = request_id()
        resp.set_header("x-openstack-request-id", rid)
        resp.set_header("x-compute-request-id", rid)
        with structlog.contextvars.bound_contextvars(request_id=rid):
            try:
                if req.path == METRICS and req.method == "GET":
                    self._metrics(req, resp)
                    return
                answer = self._route(req, resp, rid)
            except NoIdentity as refusal:
                resp.status, resp.text = 401, refusal.body
                resp.content_type = refusal.content_type
                resp.set_headers(refusal.headers)
                return
            except falcon.HTTPError as error:  # a malformed header
                answer = errors.envelope(error.status_code, error.title or "bad request")
            except Exception as error:
                answer = errors.of(error) or _accident(req)
        resp.status = answer.status
        resp.set_headers(answer.headers)
        if answer.body is None:
            resp.data = b""
        else:
            resp.data, resp.content_type = _encode(answer.body), "application/json"

    def _route(self, req: falcon.Request, resp: falcon.Response, rid: str) -> Answer:
        base = self._public_url or req.prefix
        path = req.path
        if path in ("/", "/v2", "/v2/", "/healthcheck"):
            if req.method != "GET":
                return errors.unrouted()
            return self._open(path, base, req, resp)
        prefix = next((p for p in self._routers if path.startswith(f"{p}/")), None)
        if prefix is None or "\0" in path:
            return errors.unrouted()
        if (req.content_length or 0) > MAX_BODY:
            return errors.bare(413, "The body is larger than this server takes.")
        segments = _segments(path.removeprefix(prefix))
        project = None
        if prefix == V2 and self._project.fullmatch(segments[0]):
            project = segments[0]
        try:
            identity = self._auth.identify(req.env, project)
        except AuthUnavailable as error:
            return errors.envelope(503, str(error))
        found = self._routers[prefix].find(req.method, segments[1:] if project else segments)
        if found is None:
            return errors.unrouted()
        asked, refusal = _negotiate(req, resp) if prefix == V2 else (versions.LATEST, _NOTHING)
        if asked is None:
            return refusal
        if project is not None and project != identity.project_id:
            raise BadRequest("malformed request url: it names another project than the token")
        raw = _read(req)
        if raw is None:
            return errors.bare(413, "The body is larger than this server takes.")

        def can(rule: str) -> bool:
            return self._policy.allows(identity, rule)

        call = Call(
            service=self._service,
            caller=Caller(
                user_id=identity.user_id,
                project_id=identity.project_id,
                roles=identity.roles,
                request_id=rid,
                is_admin=can("context_is_admin"),
                can=can,
            ),
            minor=asked.minor,
            experimental=asked.experimental,
            address=Address(
                base,
                f"{prefix}/{project}" if project else prefix,
                "/".join(segments[1:] if project else segments),
                req.query_string,
            ),
            raw=raw,
        )
        return _handle(found, call)

    def _metrics(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Figures for Prometheus, which knows passwords and no tokens of ours; administrators'."""
        try:
            identity = self._auth.identify(req.env, None)
        except AuthUnavailable:
            raise falcon.HTTPServiceUnavailable from None
        if not self._policy.allows(identity, "roadstead:metrics:get"):
            raise falcon.HTTPForbidden
        # Imported when first asked for: an idle service has no use for it.
        from roadstead.service import metrics

        resp.data, resp.content_type = metrics.exposition(self._service), metrics.CONTENT_TYPE

    def _open(self, path: str, base: str, req: falcon.Request, resp: falcon.Response) -> Answer:
        """What needs no identity."""
        if path == "/healthcheck":
            return Answer(200, discovery.HEALTH)
        if path == "/":
            return Answer(300, discovery.document(base))
        asked, refusal = _negotiate(req, resp)
        return refusal if asked is None else Answer(200, discovery.document(base))


_NOTHING = Answer(200, None)

# What follows one of these is a user's word, which may well end in ".json".
_KEYED = frozenset(("metadata", "extra_specs"))


def _segments(path: str) -> list[str]:
    """The parts of a path below the prefix, without the suffix that old clients add."""
    segments = path.split("/")[1:]
    if len(segments) < 2 or segments[-2] not in _KEYED:
        segments[-1] = segments[-1].removesuffix(".json")
    return segments


def _negotiate(req: falcon.Request, resp: falcon.Response) -> tuple[versions.Asked | None, Answer]:
    """What the request asks for, echoed in the reply's headers; or None and the refusal."""
    try:
        asked = versions.parse(
            req.get_header(versions.HEADER),
            req.get_header(versions.COMMON_HEADER),
            req.get_header(versions.EXPERIMENTAL_HEADER),
        )
    except versions.BadVersion as error:
        return None, errors.envelope(400, str(error))
    except versions.UnknownVersion as error:
        text = str(error)
        refusal = errors.envelope(
            406,
            f"version {text} is not supported: the minimum is 2.{versions.MIN} and the maximum "
            f"2.{versions.MAX}",
        )
        _echo(resp, text)
        return None, refusal
    _echo(resp, asked.text)
    if asked.experimental:
        resp.set_header(versions.EXPERIMENTAL_HEADER, "True")
    return asked, _NOTHING


def _echo(resp: falcon.Response, text: str) -> None:
    resp.set_header(versions.HEADER, text)
    resp.set_header("Vary", versions.HEADER)


def _read(req: falcon.Request) -> bytes | None:
    """The body; empty unless it is declared as JSON; None when it is too large."""
    media = (req.content_type or "").partition(";")[0].strip().lower()
    if req.method in ("GET", "DELETE") or media != "application/json":
        return b""
    raw = req.bounded_stream.read(MAX_BODY + 1)
    return None if len(raw) > MAX_BODY else raw


def _handle(found: Found, call: Call) -> Answer:
    """The handler's answer, if the route exists at this version and the policy admits it."""
    route = choose(found.routes, call)
    if route.policy is not None:
        call.caller.require(route.policy)
    if route.body:
        _ = call.body
    body: Any = route.handler(call, *found.values)
    return Answer(route.status, body)


def _accident(req: falcon.Request) -> Answer:
    """For what should not happen: the log has it, the client only learns that it did."""
    _log.exception("request failed", method=req.method, path=req.path)
    return errors.envelope(500, errors.INTERNAL)
