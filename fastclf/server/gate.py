"""The one gate of a server, before all handlers: what is asked for passes it, and every answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import Application

from ..api import BODY_SECONDS
from ..system import has_memory
from .answer_headers import HOST, AnswerHeaders
from .besides import Besides
from .entrance import Answer, Entrance
from .limits import HEADER_SECONDS, LEAST_ROOM, LONGEST_ID, MOST_ADDRESS, MOST_BODY, PROTOCOL
from .passwords import OWNER
from .proxies import tell_of_proxy, tell_once
from .refusal import Refusal

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_NAME = rf"[0-9a-zA-Z_-]{{1,{LONGEST_ID}}}"
_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KERNEL = rf"api/kernels/{_ID}"
_LOGIN = r"(login|logout|static/.+)"
_TEMPLATES = (
    "index.html.j2",
    "error.html",
    "api.html",
    "login.html",
    "static/head.html",
    "static/login.html",
)
# An API counts what it reads, and refuses in words what is too much.
_ANY_BODY = 2**50


@dataclass(frozen=True)
class Place:
    """Where a server stands: which names it has, and which addresses below which path are the page's own.

    Parameters
    ----------
    base
        The path before all others, with a slash at both ends.
    is_ours
        Whether nothing is served but the page; False where Voila is an extension of a Jupyter server.
    is_single
        Whether the page stands at the base itself; else each notebook is a page.
    has_login
        Whether Jupyter has a password or a token, and so a page that asks for it.
    names
        The Hosts that are answered; None for any.
    has_metrics
        Whether there are numbers for the host.
    """

    base: str = "/"
    is_ours: bool = True
    is_single: bool = True
    has_login: bool = False
    names: frozenset[str] | None = None
    has_metrics: bool = False


def find_names(address: str, named: str) -> frozenset[str] | None:
    """Return the Hosts that a server at an address answers, None for any.

    A page of any site can let its own name point to this machine, and would then be as near as a page from
    here. So a server that only this machine reaches knows no names but those of the loopback, and
    those of a proxy in front that the maker has named.
    """
    own = address.strip("[]").lower()
    others = {name.strip().lower() for name in named.split(",") if name.strip()}
    if own in ("localhost", "::1") or own.startswith("127."):
        return frozenset({*_LOOPBACK, f"[{own}]" if ":" in own else own, *others})
    return frozenset({*_LOOPBACK, *others}) if others else None


class Gate:
    """Stands before an application: refuses by Host, address, method and framing, dresses answers.

    What passes meets the `entrance`, where there is a password; pages of the origins in `embed` may show it.
    """

    def __init__(
        self,
        app: Application,
        place: Place,
        besides: Besides | None = None,
        entrance: Entrance | None = None,
        embed: Sequence[str] = (),
    ) -> None:
        self._app, self.place, self._besides, self._entrance = app, place, besides or Besides(), entrance
        self._headers = AnswerHeaders(_read_templates(app), embed)
        self._doors = [(re.compile(path), methods.split()) for path, methods in _list_doors(place)]
        self._lines = re.compile(rf"{re.escape(place.base)}{_KERNEL}/channels")
        self._find_handler, self._start_request = app.find_handler, app.start_request
        app.find_handler = self.find_handler  # type: ignore[method-assign]
        app.start_request = self.start_request  # type: ignore[assignment, method-assign]

    def start_request(self, server: Any, connection: Any) -> Any:
        """Give a request that begins its time to say what it wants."""
        connection.params.header_timeout = HEADER_SECONDS
        return self._start_request(server, connection)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return who answers: a refusal, or what the application has for it."""
        self._dress(request)
        status = self._refuse(request)
        is_api, beside = self._besides.is_api(request.path), self._besides.find(request.path)
        self._bound_body(request, is_bound=bool(status) or self._is_page(request.path), is_api=is_api)
        if status:
            refusal = {"status": status, "is_api": is_api}
            return self._app.get_handler_delegate(request, Refusal, refusal)
        if met := self._meet(request, is_api=is_api):
            return self._app.get_handler_delegate(request, *met)
        if beside is not None:
            return self._app.get_handler_delegate(request, *beside)
        return self._find_handler(request, **kwargs)

    def _meet(self, request: HTTPServerRequest, *, is_api: bool) -> Answer | None:
        """Return who asks for a password; None for whoever may go on."""
        path = request.path
        if self._entrance is None or not self._is_page(path) or self._besides.asks_itself(path):
            return None
        owned = getattr(self._app.settings.get("kernel_manager"), "owned", ())
        return self._entrance.find(request, owned, is_api=is_api)

    def _bound_body(self, request: HTTPServerRequest, *, is_bound: bool, is_api: bool) -> None:
        connection: Any = request.connection
        if is_api:
            connection.set_max_body_size(_ANY_BODY)
            connection.set_body_timeout(BODY_SECONDS + 5)  # after an answer in words
        elif is_bound:
            connection.set_max_body_size(MOST_BODY)
            connection.set_body_timeout(HEADER_SECONDS)

    def _dress(self, request: HTTPServerRequest) -> None:
        connection: Any = request.connection
        write, settings = connection.write_headers, self._app.settings
        is_plain = self._is_login(request.path) or self._besides.is_data(request.path)
        is_page = self._is_page(request.path) and not is_plain
        has_form = self._is_form(request.path)
        keeps_cookies = not self.place.is_ours or self.place.has_login or has_form
        is_owners = is_page and self._is_owners(request)

        def write_headers(start_line: Any, headers: HTTPHeaders, chunk: bytes | None = None) -> Any:
            self._headers.complete(
                headers, request, settings, is_page=is_page, keeps_cookies=keeps_cookies,
                has_form=has_form, owned=is_owners,
            )  # fmt: skip
            return write(start_line, headers, chunk)

        connection.write_headers = write_headers

    def _is_owners(self, request: HTTPServerRequest) -> bool:
        """Tell whether whoever asks is an owner."""
        if os.environ.get("FASTCLF_OWNER") == "1":
            return True
        return self._entrance is not None and self._entrance.find_role(request) == OWNER

    def _refuse(self, request: HTTPServerRequest) -> int:
        """Return the status of a refusal, 0 for none."""
        if not has_memory(LEAST_ROOM):
            # a library that gets no memory for a thread ends the process
            return 503
        if not self._knows_host(request):
            return 421
        if not _is_readable(request.path):
            return 404
        if self._is_page(request.path):
            if len(request.uri or "") > MOST_ADDRESS:
                return 414
            if self._besides.is_api(request.path):
                return 0
            if status := self._knock(request.method or "", request.path):
                return status
        return self._refuse_line(request) if self._lines.fullmatch(request.path) else 0

    def _knows_host(self, request: HTTPServerRequest) -> bool:
        host = request.headers.get("Host", "").lower()
        found = HOST.fullmatch(host)
        if self.place.names is None or (found and found[1] in self.place.names):
            return True
        tell_once(
            "A page was asked for under the name {}, which is not known here. If it is that of a proxy in "
            "front, set FASTCLF_HOSTS to it.",
            ascii(host)[:80],
        )
        return False

    def _is_page(self, path: str) -> bool:
        """Tell whether an address is the page's to answer, and not a Jupyter server's own."""
        return self.place.is_ours or f"{unquote(path)}/".startswith(f"{self.place.base}voila/")

    def _is_login(self, path: str) -> bool:
        found = re.fullmatch(rf"{re.escape(self.place.base)}{_LOGIN}", path)
        return self.place.is_ours and self.place.has_login and found is not None

    def _is_form(self, path: str) -> bool:
        return self._entrance is not None and self.place.is_ours and self._entrance.is_form(path)

    def _knock(self, method: str, path: str) -> int:
        if self._entrance is not None and self._is_form(path):
            return self._entrance.refuse_method(method, path)
        found = [methods for door, methods in self._doors if door.fullmatch(path)]
        if not found:
            return 404
        return 0 if any(method in methods for methods in found) else 405

    def _refuse_line(self, request: HTTPServerRequest) -> int:
        """Refuse a kernel's websocket of the older framing, and one whose session is no plain name.

        Voila reads the header of every message as today's framing has it. In the older one the first number
        is another, and the server would count up to it: for ever, while nobody else is answered.
        """
        tell_of_proxy(request, self._app.settings)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        sessions = request.query_arguments.get("session_id", [b"-"])
        if PROTOCOL not in map(str.strip, offered.split(",")):
            return 400
        return 0 if all(re.fullmatch(_NAME, session.decode("latin1")) for session in sessions) else 400


def _list_doors(place: Place) -> Iterable[tuple[str, str]]:
    """Return patterns of the addresses that are answered, each with its methods."""
    base = re.escape(place.base)
    yield rf"{base}voila/templates/fastclf/static/client\.js", "GET HEAD"
    yield rf"{base}voila/templates/fastclf/static/licences\.txt", "GET HEAD"
    yield rf"{base}voila/api/shutdown/{_ID}", "POST"
    yield base if place.is_single else rf"{base}voila/render/.+\.ipynb", "GET"
    if place.is_ours:
        yield rf"{base}{_KERNEL}(/channels)?", "GET"
        yield rf"{base}healthz", "GET HEAD"
    if place.has_metrics:
        yield rf"{base}metrics", "GET"
    if place.is_ours and place.has_login:
        yield rf"{base}{_LOGIN}", "GET HEAD POST"


def _read_templates(app: Application) -> list[str]:
    """Return the sources of what the page is made of, as Voila finds them."""
    environment = app.settings["voila_jinja2_env"]
    return [environment.loader.get_source(environment, name)[0] for name in _TEMPLATES]


def _is_readable(path: str) -> bool:
    """Tell whether a path is one that anything can be called."""
    try:
        return unquote_to_bytes(path).decode().isprintable()
    except UnicodeDecodeError:
        return False
