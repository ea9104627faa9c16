"""The server's kernel manager: a kernel that waited for a visitor is not ended the moment one comes."""

from __future__ import annotations

from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class GraceKernelManager(AsyncMappingKernelManager):
    """Counts a kernel's idle time from the first look at it after it was handed to a visitor.

    Voila keeps the culler away from a kernel while it waits in the pool. Afterwards its last activity may be
    long ago and no websocket connected yet, so the plain manager would end it under the visitor's eyes.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._seen: set[str] = set()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel if it has been idle for too long since it was handed over."""
        kernel = self._kernels.get(kernel_id)
        if kernel is not None and kernel_id not in self._seen:
            self._seen = (self._seen & set(self._kernels)) | {kernel_id}
            kernel.last_activity = utcnow()
            return
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
