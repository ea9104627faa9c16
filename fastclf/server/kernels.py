"""The server's kernel manager: how many visitors there are at once, and nobody's kernel ended too early."""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.ioloop import IOLoop
from tornado.web import GZipContentEncoding, HTTPError

from ..system import recover_folder

DEFAULT_MAX_VISITORS = 20
_FULL = "Every place is taken (%d). FASTCLF_MAX_VISITORS says how many there are."

_PROTOCOL = "v1.kernel.websocket.jupyter.org"
# IPython would write down when each session began and ended
_NO_HISTORY = "--HistoryManager.hist_file=:memory:"

_logger = logging.getLogger(__name__)


class GraceKernelManager(AsyncMappingKernelManager):
    """Jupyter's kernel manager with what a page for visitors needs.

    - There are ``FASTCLF_MAX_VISITORS`` places (20); one visitor more is answered with status 503. A kernel
      that waits for a visitor takes no place.
    - Idle time counts from the first look at a kernel after it was handed to a visitor. Voila keeps the
      culler away from a kernel while it waits. Afterwards its last activity may be long ago and no websocket
      connected yet, so the plain manager would end it under the visitor's eyes.
    - Answers are compressed. Voila tells its application so when that is built already, which is too late.
    - The starting page is told the title, and nothing is loaded first when the first visitor comes.
    - No session is written down: IPython keeps its history in memory.
    - A model that a kill left half replaced is brought back before a kernel starts, which only reads it.
    - A websocket that does not offer today's framing is refused, and one that a proxy spoilt is told of.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Count who is handed a waiting kernel: a method that Voila adds in a class derived from this."""
        super().__init_subclass__(**kwargs)
        hand_over = cls.__dict__.get("get_rendered_notebook")
        if hand_over is not None:

            async def get_rendered_notebook(self: GraceKernelManager, *args: Any, **kwargs: Any) -> Any:
                with self._place():
                    handed = await hand_over(self, *args, **kwargs)
                    self._unused.discard(handed[-1])
                return handed

            cls.get_rendered_notebook = get_rendered_notebook  # type: ignore[attr-defined]

    def __init__(self, **kwargs: Any) -> None:
        # before Voila's own part, which starts to fill its pool
        self._seen: set[str] = set()
        self._unused: set[str] = set()
        self.arriving = 0
        self.places = read_max_visitors()
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.model = Path(getattr(self.parent, "root_dir", "")) / os.environ.get("FASTCLF_MODEL", "model")
        recover_folder(self.model)
        refuse_old_framing()
        loop = IOLoop.current()
        loop.add_callback(self._compress_answers)
        loop.add_callback(loop.run_in_executor, None, self._warm_up)
        self._tell_title()

    @property
    def visitors(self) -> int:
        """How many kernels somebody uses, or is about to."""
        return len(set(self._kernels) - self._unused) + self.arriving

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel, if it is to wait for a visitor or there is a place left."""
        recover_folder(self.model)
        if "VOILA_PREHEAT" in (kwargs.get("env") or {}):  # not a notebook of a Jupyter server's owner
            kwargs["extra_arguments"] = [*(kwargs.get("extra_arguments") or ()), _NO_HISTORY]
        if (kwargs.get("env") or {}).get("VOILA_PREHEAT") == "True":
            kernel_id: str = await super().start_kernel(**kwargs)
            self._unused = (self._unused & set(self._kernels)) | {kernel_id}
            return kernel_id
        with self._place():
            return await super().start_kernel(**kwargs)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel if it has been idle for too long since it was handed over."""
        kernel = self._kernels.get(kernel_id)
        # a clock that was set back would let it stay for as long
        is_ahead = kernel is not None and kernel.last_activity > utcnow()
        if kernel is not None and (kernel_id not in self._seen or is_ahead):
            self._seen = (self._seen & set(self._kernels)) | {kernel_id}
            kernel.last_activity = utcnow()
            return
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places while its kernel is on the way; HTTPError 503 if there is none left."""
        if self.visitors >= self.places:
            raise HTTPError(503, _FULL, self.places)
        self.arriving += 1
        try:
            yield
        finally:
            self.arriving -= 1

    def _compress_answers(self) -> None:
        app = getattr(self.parent, "app", None)
        if app is not None and app.settings.get("compress_response"):
            app.transforms[:] = {*app.transforms, GZipContentEncoding}

    def _warm_up(self) -> None:
        """Load what starts a kernel, or the first visitor would wait half a second longer for a word."""
        if self.kernel_spec_manager is not None:
            self.kernel_spec_manager.get_all_specs()

    def _tell_title(self) -> None:
        if self.parent is not None:
            title = find_title(self.model)
            self.parent.config.VoilaConfiguration.resources = {"fastclf_title": title} if title else {}


def refuse_old_framing() -> None:
    """Answer 400 to a websocket of a kernel that does not offer the framing of `_PROTOCOL`.

    Voila reads the header of every binary message as that framing has it. In the older one the first number
    is another, and the server would count up to it: for ever, while nobody else is answered.
    """
    plain = KernelWebsocketHandler.pre_get
    if hasattr(plain, "__wrapped__"):
        return

    @wraps(plain)
    async def pre_get(self: KernelWebsocketHandler) -> None:
        _tell_of_proxy(self)
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        if _PROTOCOL not in map(str.strip, offered.split(",")):
            raise HTTPError(400, "a kernel's websocket has to offer %s", _PROTOCOL)
        await plain(self)  # type: ignore[no-untyped-call]

    KernelWebsocketHandler.pre_get = pre_get  # type: ignore[method-assign]
    KernelWebsocketHandler.write_error = _write_status  # type: ignore[method-assign, assignment]


def _write_status(handler: KernelWebsocketHandler, status_code: int, **_: Any) -> None:
    """Answer with the status alone: Jupyter's page for it is not there, and its traceback would be logged."""
    handler.set_header("Content-Type", "text/plain")
    handler.finish(f"{status_code}\n")


def find_lost_headers(handler: KernelWebsocketHandler) -> list[str]:
    """Return which headers a proxy in front did not pass, by which a browser opens a websocket."""
    headers = handler.request.headers
    lost = [] if headers.get("Upgrade", "").lower() == "websocket" else ["Upgrade"]
    if "upgrade" not in headers.get("Connection", "").lower():
        lost.append("Connection")
    if not handler.check_origin():
        lost.append("Host")
    return lost


@functools.cache
def _tell_once(lost: str) -> None:
    _logger.error(
        "A page could not open its live connection: the proxy in front changes or drops %s. It must pass "
        'Host, Upgrade and Connection; README, "Share it", shows its lines. This is said once.',
        lost,
    )


def _tell_of_proxy(handler: KernelWebsocketHandler) -> None:
    if lost := find_lost_headers(handler):
        _tell_once(" and ".join(lost))


def read_max_visitors() -> int:
    """Return ``FASTCLF_MAX_VISITORS``, or 20 where it is not a number above 0."""
    value = os.environ.get("FASTCLF_MAX_VISITORS", "")
    if value.strip().isdecimal() and int(value) > 0:
        return int(value)
    if value:
        _logger.warning(
            "FASTCLF_MAX_VISITORS is %r, which is no number above 0; %d are let in.",
            value,
            DEFAULT_MAX_VISITORS,
        )
    return DEFAULT_MAX_VISITORS


def find_title(model: Path) -> str:
    """Return ``FASTCLF_TITLE``, or the title of the model in a folder; empty if there is neither.

    The title alone is read here: what checks a bundle would take a second to import.
    """
    if title := os.environ.get("FASTCLF_TITLE"):
        return title
    try:
        return str(json.loads((model / "bundle.json").read_text(encoding="utf-8")).get("title") or "")
    except (OSError, ValueError, AttributeError):
        return ""
