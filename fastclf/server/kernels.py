"""The server's kernel manager: how many visitors there are at once, and nobody's kernel ended too early."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import IOLoop
from tornado.web import HTTPError

from ..errors import ServingError
from ..system import has_memory, recover_folder
from .fork_support import PROVISIONER
from .limits import FIRST_TO_GO, LEAST_ROOM, MOST_KEPT, UNUSED_SECONDS
from .line import find_backlog
from .opening import open_gate
from .passwords import OWNER, current_role
from .places import read_max_visitors
from .settings import load_settings
from .sockets import put_behind_sockets
from .title import find_title
from .watch import read_watch

_FULL = "Every place is taken (%d). FASTCLF_MAX_VISITORS says how many there are."

# IPython would write down when each session began and ended
_NO_HISTORY = "--HistoryManager.hist_file=:memory:"
_STARTING = ("starting", "busy")


class GraceKernelManager(AsyncMappingKernelManager):
    """Jupyter's kernel manager with what a page for visitors needs.

    - There are ``FASTCLF_MAX_VISITORS`` places, or as many as the memory holds; one visitor more is answered
      with status 503. A kernel that waits for a visitor takes no place.
    - Idle time counts from the first look at a kernel after it was handed to a visitor. Voila keeps the
      culler away from a kernel while it waits. Afterwards its last activity may be long ago and no websocket
      connected yet, so the plain manager would end it under the visitor's eyes.
    - The starting page is told the title, and nothing is loaded first when the first visitor comes.
    - No session is written down: IPython keeps its history in memory.
    - A model that a kill left half replaced is brought back before a kernel starts, which only reads it.
    - A visitor's kernel whose page never opens its websocket is ended after a minute.
    - What a kernel says while its page is away is kept within a limit.
    - Whoever gave the owner's password gets a kernel of an owner, which nobody else reaches.
    - Where the machine has no memory left, the system ends a visitor's kernel before the server.
    - A visitor's kernel is behind sockets of the file system, where there is a folder for them.
    - Its server gets its gate.
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
                self._expect(handed[-1])
                return handed

            cls.get_rendered_notebook = get_rendered_notebook  # type: ignore[attr-defined]
        count = cls.__dict__.get("get_pool_size")
        if count is not None:

            def get_pool_size(self: GraceKernelManager, notebook_name: str) -> int:
                # what waits is for visitors: an owner's kernel is one from the start
                return 0 if current_role.get() == OWNER else int(count(self, notebook_name))

            cls.get_pool_size = get_pool_size  # type: ignore[attr-defined]

    def __init__(self, **kwargs: Any) -> None:
        self._load_settings(kwargs.get("parent"))
        # before Voila's own part, which starts to fill its pool
        self._seen: set[str] = set()
        self._unused: set[str] = set()
        self._expected: set[str] = set()
        self.owned: set[str] = set()
        self.arriving = 0
        self.watch = read_watch()
        self.watch.listen()
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        named = self.config.KernelProvisionerFactory.get("default_provisioner_name")
        self.places = read_max_visitors(forks=named == PROVISIONER)
        self.model = Path(getattr(self.parent, "root_dir", "")) / os.environ.get("FASTCLF_MODEL", "model")
        recover_folder(self.model)
        loop = IOLoop.current()
        # once there is an application, and before it has taken a connection
        loop.add_callback(open_gate, self.parent)
        loop.add_callback(loop.run_in_executor, None, self._warm_up)
        self._tell_title()

    @property
    def visitors(self) -> int:
        """How many kernels somebody uses, or is about to."""
        return len(set(self._kernels) - self._unused) + self.arriving

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel, if it is to wait for a visitor or there is a place left, and memory."""
        if not has_memory(LEAST_ROOM):
            raise HTTPError(503, "There is no memory for another kernel.")
        recover_folder(self.model)
        if "VOILA_PREHEAT" in (kwargs.get("env") or {}):  # not a notebook of a Jupyter server's owner
            kwargs["extra_arguments"] = [*(kwargs.get("extra_arguments") or ()), _NO_HISTORY]
        if (kwargs.get("env") or {}).get("VOILA_PREHEAT") == "True":
            kernel_id: str = await super().start_kernel(**kwargs)
            self._let_go_first(kernel_id)
            self._unused = (self._unused & set(self._kernels)) | {kernel_id}
            return kernel_id
        is_owners = current_role.get() == OWNER
        if is_owners:
            kwargs["env"] = {**kwargs["env"], "FASTCLF_OWNER": "1"}
        with self._place():
            kernel_id = await super().start_kernel(**kwargs)
        if is_owners:
            self.owned = (self.owned & set(self._kernels)) | {kernel_id}
        if "VOILA_PREHEAT" in (kwargs.get("env") or {}):
            self._let_go_first(kernel_id)
            self._expect(kernel_id)
        return kernel_id

    def pre_start_kernel(self, kernel_name: str | None, kwargs: Any) -> tuple[Any, str, str]:
        """Make a kernel's manager; a visitor's kernel is reached by no port."""
        kernel, name, kernel_id = super().pre_start_kernel(kernel_name, kwargs)
        if "VOILA_PREHEAT" in (kwargs.get("env") or {}):
            put_behind_sockets(kernel, kernel_id)
        return kernel, name, kernel_id

    def _let_go_first(self, kernel_id: str) -> None:
        """Let the system end a visitor's kernel before the server of all of them, where memory runs out."""
        pid = getattr(getattr(self._kernels.get(kernel_id), "provisioner", None), "pid", None)
        with suppress(OSError):  # it is over, or the system is none that keeps such a score
            if pid is not None:
                Path(f"/proc/{pid}/oom_score_adj").write_text(f"{FIRST_TO_GO}\n")

    def notify_connect(self, kernel_id: str) -> None:
        """Take note of the websocket that a page opens."""
        self._expected.discard(kernel_id)
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]

    def start_buffering(self, kernel_id: str, session_key: str, channels: Any) -> None:
        """Keep what a kernel says while its page is away."""
        super().start_buffering(kernel_id, session_key, channels)  # type: ignore[no-untyped-call]
        if kernel_id in self._kernel_buffers:
            backlog = find_backlog(self._kernels[kernel_id])
            self._kernel_buffers[kernel_id]["buffer"] = KeptMessages(backlog.hear)

    def count_lines(self, kernel_id: str) -> int:
        """Return how many websockets there are to a kernel."""
        connections: dict[str, int] = self._kernel_connections
        return connections.get(kernel_id, 0)

    def _expect(self, kernel_id: str) -> None:
        """Give the page of a kernel a minute to open its websocket: many are asked for and never seen."""
        self._expected = (self._expected & set(self._kernels)) | {kernel_id}
        IOLoop.current().call_later(UNUSED_SECONDS, self._end_unused, kernel_id)

    async def _end_unused(self, kernel_id: str) -> None:
        kernel = self._kernels.get(kernel_id)
        if kernel is None or kernel_id not in self._expected:
            return
        if getattr(kernel, "execution_state", None) in _STARTING:
            # the page opens it when the notebook has run
            self._expect(kernel_id)
            return
        with suppress(HTTPError):  # the page has ended it at this moment
            await self.shutdown_kernel(kernel_id)  # type: ignore[no-untyped-call]

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

    def _load_settings(self, server: Any) -> None:
        """Read `fastclf.toml` beside the notebook; a Jupyter server has settings of its own."""
        if not hasattr(server, "voila_configuration"):
            return
        try:
            load_settings(Path(server.root_dir))
        except ServingError as e:
            raise SystemExit(f"fastclf: {e.message}") from None

    def _warm_up(self) -> None:
        """Load what starts a kernel, or the first visitor would wait half a second longer for a word."""
        if self.kernel_spec_manager is not None:
            self.kernel_spec_manager.get_all_specs()

    def _tell_title(self) -> None:
        if self.parent is not None:
            title = find_title(self.model)
            self.parent.config.VoilaConfiguration.resources = {"fastclf_title": title} if title else {}


class KeptMessages(list[tuple[str, list[Any]]]):
    """What a kernel says while its page is away, (channel, parts): let go once it is too much.

    A page that comes back asks for what it may have missed. What the kernel has done is heard all the same.
    """

    def __init__(self, hear: Callable[[list[Any]], None]) -> None:
        super().__init__()
        self._size, self._hear = 0, hear

    def append(self, message: tuple[str, list[Any]]) -> None:
        """Keep a message, or none."""
        self._hear(message[1])
        self._size += sum(map(len, message[1]))
        if self._size > MOST_KEPT:
            self.clear()
        else:
            super().append(message)
