"""What all addresses of the API share: who may call, how a body comes in, how a fault is told."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler, stream_request_body

from ..errors import FastclfError
from .bodies import Body, FormBody, JsonBody, RawBody, find_boundary
from .limits import BODY_SECONDS, MOST_DROPPED, PREFLIGHT_SECONDS
from .problem import PROBLEM_TYPE, ProblemError, build_usual_problem, find_problem, write_problem
from .tries import find_caller

if TYPE_CHECKING:
    from .routes import Api

_logger = logging.getLogger(__name__)

_TOO_LARGE = "The body has more than {n} MB, which is the most here."
_WRONG_ORIGIN = (
    "Pages of {origin} may not call this server. Whoever runs it names them with `fastclf serve --api-cors`."
)
_NO_TOKEN = "This server asks for a token: send the header Authorization: Bearer TOKEN."
_WRONG_TOKEN = "This token is not the one of this server. Whoever runs the server knows it."
_TOO_MANY_TRIES = "Too many wrong tokens came from your address. Try again in {n} s."


@stream_request_body
class Door(RequestHandler):
    """An address of the API. A door says what it answers, and `act` does it."""

    allowed: ClassVar[tuple[str, ...]] = ("GET", "HEAD")
    # whether it is answered without the token
    is_open: ClassVar[bool] = False
    # kinds of bodies that it takes: of forms, of JSON, of a photo's bytes
    takes_form: ClassVar[bool] = False
    takes_json: ClassVar[bool] = False
    takes_bytes: ClassVar[bool] = False

    @property
    def api(self) -> Api:
        """The API that this is an address of."""
        found: Api = self.settings["fastclf_api"]
        return found

    def initialize(self) -> None:
        """Begin with nothing read."""
        self.stop = threading.Event()
        self._body: Body | None = None
        self._refusal: ProblemError | None = None
        self._got, self._held = 0, 0
        self._timer: object | None = None

    def check_xsrf_cookie(self) -> None:
        """Look at no cookie: nothing here rests on one, and other origins' pages are refused by name."""

    def set_default_headers(self) -> None:
        """Say who may read the answer."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("Vary", "Origin")
        origin = self.request.headers.get("Origin", "")
        if origin and self.api.allows_origin(origin):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", "ETag, Retry-After, WWW-Authenticate")

    async def prepare(self) -> None:
        """Decide whether the request is answered, before its body comes."""
        if self.request.method == "OPTIONS":
            self._answer_preflight()
            return
        try:
            self._check()
            self._body = self._open_body()
            self._hold_declared()
        except ProblemError as e:
            self._refuse(e)
            if not self._has_body() or "Expect" in self.request.headers or self._declared() > MOST_DROPPED:
                raise
        if self._has_body():
            self._timer = IOLoop.current().call_later(BODY_SECONDS, self._end_slow)

    def data_received(self, chunk: bytes) -> None:
        """Take the next bytes of the body, or drop them where it is refused."""
        self._got += len(chunk)
        if self._finished:
            return
        if self._refusal is None and self._body is not None:
            try:
                self._feed(self._body, chunk)
            except ProblemError as e:
                self._refuse(e)
        if self._refusal is not None and self._got > MOST_DROPPED:
            self._tell(self._refusal)

    async def get(self) -> None:
        """Answer."""
        self._drop_timer()
        if self._refusal is None and self._body is not None:
            self._body.finish()
        if self._refusal is not None:
            raise self._refusal
        try:
            await self.act()
        except FastclfError as e:
            raise find_problem(e) from e

    head = post = put = delete = patch = get

    async def act(self) -> None:
        """Do what is asked for."""
        raise NotImplementedError

    def answer(self, value: object, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value))

    @property
    def form(self) -> FormBody:
        """The form that was sent; ProblemError 415 where it was something else."""
        if not isinstance(self._body, FormBody):
            raise self._build_wrong_type()
        return self._body

    @property
    def raw(self) -> RawBody | None:
        """The bytes that were sent, None where it was a form or JSON."""
        return self._body if type(self._body) is RawBody else None

    @property
    def sent(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        return self._body.value if isinstance(self._body, JsonBody) else {}

    def more_of_problem(self, problem: ProblemError) -> Mapping[str, object]:
        """Return what a problem's JSON holds beside RFC 9457's members."""
        return {}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell what is wrong."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        problem = (
            error
            if isinstance(error, ProblemError)
            else build_usual_problem(status_code, method=self.request.method, allowed=", ".join(self.allowed))
        )
        for name, value in problem.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_TYPE)
        self.finish(write_problem(problem, **self.more_of_problem(problem)))

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Write down what nobody foresaw, without who asked."""
        if not isinstance(error, HTTPError):
            words = "The API failed at %s."
            _logger.error(words, self.request.path[:80], exc_info=(kind, error, trace))

    def on_finish(self) -> None:
        """Give back the room that the body took."""
        self._drop_timer()
        self._release()

    def on_connection_close(self) -> None:
        """Leave what nobody waits for."""
        super().on_connection_close()
        self.stop.set()
        self._drop_timer()
        self._release()

    def _check(self) -> None:
        origin = self.request.headers.get("Origin", "")
        if origin and not self.api.allows_origin(origin) and not is_own_origin(origin, self.request):
            raise ProblemError(403, _WRONG_ORIGIN, origin=ascii(origin)[1:-1][:80])
        if self.request.method not in self.allowed:
            allowed = ", ".join(self.allowed)
            problem = build_usual_problem(405, method=self.request.method, allowed=allowed)
            problem.headers["Allow"] = allowed
            raise problem
        if not self.is_open:
            check_token(self.api, self.request)

    def _answer_preflight(self) -> None:
        origin = self.request.headers.get("Origin", "")
        if not self.api.allows_origin(origin):
            raise ProblemError(403, _WRONG_ORIGIN, origin=ascii(origin)[1:-1][:80])
        self.set_header("Access-Control-Allow-Methods", ", ".join(self.allowed))
        self.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
        self.set_header("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))
        self.set_status(204)
        self.finish()

    def _open_body(self) -> Body | None:
        if "POST" not in self.allowed:
            return None
        if self.request.headers.get("Content-Encoding", "identity") != "identity":
            raise ProblemError(415, "The body is compressed; send it as it is.")
        said = self.request.headers.get("Content-Type", "")
        kind = said.partition(";")[0].strip().lower()
        if self.takes_form and kind == "multipart/form-data":
            return FormBody(find_boundary(said))
        if self.takes_json and (kind == "application/json" or kind.endswith("+json")):
            return JsonBody()
        # a file without a type is one of bytes
        if self.takes_bytes and (kind in ("", "application/octet-stream") or kind.startswith("image/")):
            return self.open_raw()
        raise self._build_wrong_type()

    def open_raw(self) -> RawBody:
        """Return what takes a body of plain bytes."""
        return RawBody()

    def _build_wrong_type(self) -> ProblemError:
        kinds = ["multipart/form-data with the field files"] * self.takes_form
        kinds += ["application/json"] * self.takes_json
        kinds += ["a photo's bytes as image/jpeg, image/png and so on"] * self.takes_bytes
        return ProblemError(
            415, "The body's Content-Type is not read here. Send {kinds}.", kinds=" or ".join(kinds)
        )

    def _declared(self) -> int:
        length = self.request.headers.get("Content-Length", "0")
        return int(length) if length.isascii() and length.isdigit() else 0

    def _has_body(self) -> bool:
        return self._declared() > 0 or "Transfer-Encoding" in self.request.headers

    def _hold_declared(self) -> None:
        if self._body is None:
            return
        if self._declared() > self._body.most:
            raise ProblemError(413, _TOO_LARGE, n=self._body.most // 2**20)
        self._hold(self._body, self._declared())

    def _feed(self, body: Body, chunk: bytes) -> None:
        if self._got > body.most:
            raise ProblemError(413, _TOO_LARGE, n=body.most // 2**20)
        self._hold(body, self._got)
        body.feed(chunk)

    def _hold(self, body: Body, size: int) -> None:
        """Make room for so much of a body, where there is none for it yet."""
        more = size * body.weight - self._held
        if more > 0 or not self._held:
            self.api.service.hold(max(0, more))
            self._held += max(0, more)

    def _release(self) -> None:
        self.api.service.release(self._held)
        self._held, self._body = 0, None

    def _refuse(self, problem: ProblemError) -> None:
        """Keep a problem until the sender has sent all, and hears; what came so far is let go."""
        self._refusal = problem
        self._release()

    def _tell(self, problem: ProblemError) -> None:
        self.send_error(problem.status_code, exc_info=(type(problem), problem, None))

    def _end_slow(self) -> None:
        if not self._finished:
            self.stop.set()
            self._tell(ProblemError(408, "The body did not come within {n:.0f} s.", n=BODY_SECONDS))

    def _drop_timer(self) -> None:
        if self._timer is not None:
            IOLoop.current().remove_timeout(self._timer)
            self._timer = None


def is_own_origin(origin: str, request: HTTPServerRequest) -> bool:
    """Tell whether a page is this server's own."""
    return origin.lower().partition("://")[2] == request.headers.get("Host", "").lower()


def check_token(api: Api, request: HTTPServerRequest) -> None:
    """Make sure that a request shows the token; ProblemError 401 where it does not, 429 after many tries."""
    if not api.token:
        return
    caller = find_caller(request)
    if wait := api.tries.find_wait(caller):
        raise ProblemError(429, _TOO_MANY_TRIES, n=wait, headers={"Retry-After": str(wait)})
    if is_known_caller(api.token, request):
        return
    shown = bool(request.headers.get("Authorization"))
    if shown:
        api.tries.add(caller)
    headers = {"WWW-Authenticate": 'Bearer realm="fastclf"'}
    raise ProblemError(401, _WRONG_TOKEN if shown else _NO_TOKEN, headers=headers)


def is_known_caller(token: str, request: HTTPServerRequest) -> bool:
    """Tell whether a request shows a token: as Bearer, or as the password of Basic."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif kind.lower() != "bearer":
        return False
    ours, theirs = (hashlib.sha256(text.strip().encode()).digest() for text in (token, given))
    return hmac.compare_digest(ours, theirs)
