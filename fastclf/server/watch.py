"""What a host sees of a server: whether it is well, its numbers, a line a request without who asked."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop
from tornado.log import app_log
from tornado.web import RequestHandler

from ..api import (
    METRICS_TYPE,
    PROBLEM_TYPE,
    Counts,
    ProblemError,
    is_from_here,
    is_known_caller,
    write_problem,
)
from ..system import listen_for_tallies, read_tally

_logger = logging.getLogger(__name__)
# What stands in an address in a line of the log: names of kernels are nobody's business.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOBODY = "(no such address)"


class Watch:
    """Counts what a server does, and writes it down where the host wants that.

    Parameters
    ----------
    wants_metrics
        Whether `/metrics` is answered.
    log
        Where a line a request goes: a file, "-" for the terminal, "" for nowhere.
    """

    def __init__(self, *, wants_metrics: bool = False, log: str = "") -> None:
        self.counts, self.wants_metrics = Counts(), wants_metrics
        self._access = _open_log(log) if log else None
        self._line: socket.socket | None = None

    def listen(self) -> None:
        """Hear of answers that are given in visitors' processes, which are started from now on."""
        if not self.wants_metrics:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="fastclf-")
        self._line = listen_for_tallies(self._folder.name)
        if self._line is not None:
            IOLoop.current().add_handler(self._line.fileno(), self._hear, IOLoop.READ)

    def note(self, handler: RequestHandler) -> None:
        """Take note of a request that is over."""
        status, request = handler.get_status(), handler.request
        if status >= 400:
            self.counts.add_refusal(status)
        if status >= 500:
            # what strangers ask for in vain would fill it
            app_log.error("%d %s %.200s", status, request.method, request.path)
        if status == 200 and type(handler).__name__ == "TornadoVoilaHandler":
            self.counts.pages += 1
        if self._access is not None:
            known = status not in (404, 421) and type(handler).__name__ != "Refusal"
            path = _ID.sub("...", request.path) if known else _NOBODY
            words = f"{request.method} {path} {status} {1000 * request.request_time():.0f} ms"
            self._access.info("%s", words)

    def _hear(self, *_: object) -> None:
        while self._line is not None and (told := read_tally(self._line)) is not None:
            with contextlib.suppress(TypeError, ValueError):
                self._count(told)

    def _count(self, told: Mapping[str, Any]) -> None:
        kind = told.get("kind")
        if kind == "answer":
            unfamiliar = bool(told.get("unfamiliar"))
            self.counts.add_answer("page", float(told["seconds"]), unfamiliar=unfamiliar)
        elif kind == "unreadable":
            self.counts.add_unreadable("page")
        elif kind == "report":
            self.counts.add_report("page")


def read_watch() -> Watch:
    """Return a watch as FASTCLF_METRICS and FASTCLF_ACCESS_LOG want it."""
    log = os.environ.get("FASTCLF_ACCESS_LOG", "").strip()
    return Watch(wants_metrics=os.environ.get("FASTCLF_METRICS", "").strip() == "1", log=log)


class Health(RequestHandler):
    """Says whether the server is well: it answers, and there is a model."""

    def initialize(self, model: Path) -> None:
        """Keep where the model is."""
        self._model = model

    def get(self) -> None:
        """Answer with 200, or with 503 where there is no model."""
        is_well = (self._model / "bundle.json").is_file()
        self.set_status(200 if is_well else 503)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"status": "ok" if is_well else "no model"}))

    head = get


class Metrics(RequestHandler):
    """The numbers: for this machine, and for whoever shows the API's token."""

    def initialize(self, watch: Watch, manager: Any, token: str) -> None:
        """Keep where the numbers are."""
        self._watch, self._manager, self._token = watch, manager, token

    def get(self) -> None:
        """Answer, or refuse."""
        if not is_from_here(self.request) and not (
            self._token and is_known_caller(self._token, self.request)
        ):
            problem = ProblemError(
                403, "The numbers are for this machine, or for whoever shows the API's token."
            )
            self.set_status(403)
            self.set_header("Content-Type", PROBLEM_TYPE)
            self.finish(write_problem(problem))
            return
        self.set_header("Content-Type", METRICS_TYPE)
        self.set_header("Cache-Control", "no-store")
        gauges = {
            "fastclf_visitors": ("Visitors who are here, or about to be.", float(self._manager.visitors)),
            "fastclf_places": ("Visitors who may be here at once.", float(self._manager.places)),
        }
        self.finish(self._watch.counts.render(gauges))


def _open_log(place: str) -> logging.Logger | None:
    """Return a logger of requests to a file, which may be rotated, or to the terminal."""
    logger = logging.getLogger("fastclf.access")
    try:
        handler = (
            logging.StreamHandler(sys.stderr) if place == "-" else WatchedFileHandler(place, encoding="utf-8")
        )
    except OSError as e:
        _logger.error("The access log %s cannot be written (%s); none is kept.", place, e.strerror)
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def build_watch_routes(base: str, watch: Watch, manager: Any, token: str) -> Iterable[tuple[Any, ...]]:
    """Yield the addresses of what a host watches, as routes."""
    yield rf"{re.escape(base)}healthz", Health, {"model": manager.model}
    if watch.wants_metrics:
        yield rf"{re.escape(base)}metrics", Metrics, {"watch": watch, "manager": manager, "token": token}
