"""A kernel's client that is ready when the kernel is: Jupyter's own waits 0.2 s for nothing more to come."""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

# Seconds until a request is repeated. Its answer comes when the kernel runs; the word that it is done is lost
# where the line for it was not there yet, and each time it is waited for twice as long.
_PATIENCE, _FIRST_PATIENCE = 1.0, 0.05


class QuickClient(AsyncKernelClient):
    """Jupyter's client, which knows by the kernel's own word that it has said all about a first request."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered and is heard; RuntimeError if it dies or takes longer."""
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        patience = _FIRST_PATIENCE
        while not await self._is_answered(patience):
            patience = min(2 * patience, _PATIENCE)
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")

    async def _is_answered(self, patience: float) -> bool:
        asked = str(self.kernel_info())
        try:
            while _read_parent(reply := await self.get_shell_msg(timeout=_PATIENCE)) != asked:
                pass
            self._handle_kernel_info_reply(reply)
            while not _ends(await self.get_iopub_msg(timeout=patience), asked):
                pass
        except Empty:
            return False
        return True


def _ends(message: dict[str, Any], asked: str) -> bool:
    """Tell whether a message says that the kernel is done with a request."""
    return _read_parent(message) == asked and message["content"].get("execution_state") == "idle"


def _read_parent(message: dict[str, Any]) -> str:
    return str(message["parent_header"].get("msg_id"))
