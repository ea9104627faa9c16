"""Visitors' kernels as forks of one warmed process, the zygote, where the system can do that.

`ForkProvisioner` is what Jupyter starts a kernel with. It asks the zygote; whenever that cannot be had, the
kernel is started as any other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ..system import TALLY
from .forking import KernelRequest

_MODULE = "fastclf.dashboard.zygote"

# Seconds until a zygote is ready, and until it has forked: a busy machine takes 5, and 0.1.
_READY_SECONDS, _FORK_SECONDS = 60.0, 10.0
# Between two looks whether a kernel listens.
_LOOK = 0.005
# Zygotes that died one after the other, none of which forked anything.
_MOST_FAILURES = 3
# Of the zygote's command, so that a fork has room for its own.
_ROOM = " " * 300
# Large blocks go back to the system once they are freed, whatever was freed before: 10 MB of a kernel that
# has answered. One heap is enough for a few threads, each of which would have its own: 2 MB. A process that
# forks has no threads; NumPy's are for products of large matrices, which no visitor asks for.
_ENV = {
    "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}  # fmt: skip

_logger = logging.getLogger(__name__)


class ForkedProcess:
    """A process that is no child of this one, known by its descriptor: what Jupyter uses of Popen."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, handle: int) -> None:
        self.pid, self.returncode = pid, None if handle >= 0 else 0
        self._handle = handle

    def poll(self) -> int | None:
        """Return None while it runs, and 0 afterwards: its status goes to its parent alone."""
        if self.returncode is None and _wait_for(self._handle, 0.0):
            self.returncode = 0
            os.close(self._handle)
            self._handle = -1
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it is over."""
        if self.returncode is None and not _wait_for(self._handle, timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Send it a signal; one that is over gets none."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def _wait_for(handle: int, seconds: float | None) -> bool:
    """Wait until a descriptor can be read; return whether it can."""
    watched = select.poll()  # select() knows no descriptor above 1024
    watched.register(handle, select.POLLIN)
    return bool(watched.poll(None if seconds is None else 1000 * seconds))


class Zygote:
    """One warmed process, the line to it, and the model that it was warmed with."""

    def __init__(self, model: Path, lifeline: int) -> None:
        self.stamp = read_stamp(model)
        self._control, theirs = socket.socketpair()
        self._is_ready = False
        command = [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno()), str(lifeline), _ROOM]
        with theirs:
            self.process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), lifeline),
                stdin=subprocess.DEVNULL,
                # it rehearses without an inbox: what is open in it is open in all
                env={**os.environ, **_ENV, "FASTCLF_MODEL": str(model), "FASTCLF_INBOX": "", TALLY: ""},
                start_new_session=True,
            )

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Wait for it so long; OSError once it is dead."""
        if not self._is_ready and _wait_for(self._control.fileno(), seconds):
            if not self._control.recv(1):
                raise ConnectionResetError("it died while it prepared")
            self._is_ready = True
        return self._is_ready

    def fork(self, request: KernelRequest) -> ForkedProcess:
        """Have a kernel forked; OSError where that fails."""
        self._control.settimeout(_FORK_SECONDS)
        self._control.sendall(request.pack())
        data, handles, _, _ = socket.recv_fds(self._control, 4, 1)
        pid = int.from_bytes(data, "big")
        if not pid or not handles:
            raise ConnectionResetError("it died" if not data else "the kernel is over already")
        os.set_inheritable(handles[0], False)
        return ForkedProcess(pid, handles[0])

    def end(self, *, at_once: bool = False) -> None:
        """Let it end; its kernels go on."""
        self._control.close()
        if at_once or not self._is_ready:
            self.process.kill()
        threading.Thread(target=self.process.wait, daemon=True).start()


class Nursery:
    """The zygote of a server: started at the first kernel, and anew when it died or the model is another."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self._failures = 0
        self.zygote: Zygote | None = None
        self._next: Zygote | None = None
        # kernels live as long as this process holds the other end
        self._lifeline, self._held = os.pipe()
        # one after the other
        self._thread = ThreadPoolExecutor(1, "forks")
        # a crowd is let in by turns: all at once, each would wait as long as the last one
        self.turn = asyncio.Semaphore((os.cpu_count() or 1) + 1)

    async def fork(self, request: KernelRequest) -> ForkedProcess | None:
        """Return a new kernel, or None where there can be none."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._fork, request)

    def close(self) -> None:
        """End the zygote and all of its kernels."""
        self._thread.shutdown()
        for zygote in filter(None, (self.zygote, self._next)):
            zygote.end()
        for number in (self._held, self._lifeline):
            os.close(number)

    def _fork(self, request: KernelRequest) -> ForkedProcess | None:
        for _ in range(2):  # once more where it had died since
            if self._failures >= _MOST_FAILURES:
                return None
            try:
                zygote = self._find()
                if not zygote.is_ready(_READY_SECONDS):
                    raise TimeoutError("it was not ready in time")
                process = zygote.fork(request)
            except OSError as e:
                self._give_up(e)
                continue
            self._failures = 0
            return process
        return None

    def _find(self) -> Zygote:
        """Return the zygote, after a look whether a newer one is wanted, and ready."""
        if self.zygote is None:
            self.zygote = Zygote(self.model, self._lifeline)
        elif self._next is None and read_stamp(self.model) != self.zygote.stamp:
            self._next = Zygote(self.model, self._lifeline)
        with suppress(OSError):
            if self._next is not None and self._next.is_ready():
                self.zygote.end()
                self.zygote, self._next = self._next, None
        return self.zygote

    def _give_up(self, reason: OSError) -> None:
        self._failures += 1
        _logger.warning("No kernel could be forked (%s); the next one begins anew.", reason)
        for zygote in filter(None, (self.zygote, self._next)):
            zygote.end(at_once=True)
        self.zygote = self._next = None


def read_stamp(model: Path) -> bytes:
    """Return what differs when a folder holds another model."""
    try:
        return (model / "bundle.json").read_bytes()
    except OSError:
        return b""


class ForkProvisioner(LocalProvisioner):
    """Starts a visitor's kernel as a fork, and every other one as Jupyter does.

    An owner's kernel is no fork: it lives long, has files open, and there is one.
    """

    nursery: ClassVar[Nursery | None] = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; returns where it listens."""
        request = build_request(cmd, kwargs)
        if request is None:
            return await super().launch_kernel(cmd, **kwargs)
        nursery = self._find_nursery()
        async with nursery.turn:
            self.process: Any = await nursery.fork(request)
            if self.process is None:
                return await super().launch_kernel(cmd, **kwargs)
            # a fork leads a group of its own, as a kernel that is started does
            self.pid = self.pgid = self.process.pid
            self.cwd = kwargs.get("cwd")
            await self._wait_for_sockets()
        return self.connection_info

    async def _wait_for_sockets(self) -> None:
        """Wait until the kernel listens: a line to nobody is tried again after a tenth of a second only."""
        info: dict[str, Any] = dict(self.connection_info)
        if info.get("transport") != "ipc":
            return
        ports = [info[f"{name}_port"] for name in ("shell", "stdin", "control", "iopub", "hb")]
        files = [Path(f"{info['ip']}-{port}") for port in ports]
        until = time.monotonic() + _FORK_SECONDS
        while not all(file.exists() for file in files):
            if self.process.poll() is not None or time.monotonic() > until:
                return
            await asyncio.sleep(_LOOK)

    async def send_signal(self, signum: int) -> None:
        """Send the kernel's group a signal; the number of one that is over may be another's."""
        if not isinstance(self.process, ForkedProcess) or self.process.poll() is None:
            await super().send_signal(signum)

    @classmethod
    def _find_nursery(cls) -> Nursery:
        if ForkProvisioner.nursery is None:
            ForkProvisioner.nursery = Nursery(Path(os.environ.get("FASTCLF_MODEL") or "model").absolute())
        return ForkProvisioner.nursery


def build_request(cmd: list[str], options: Mapping[str, Any]) -> KernelRequest | None:
    """Return what a fork is asked for with, or None for a kernel that is not a visitor's."""
    env = options.get("env") or {}
    known = {"env", "cwd", "kernel_id"}
    is_plain = all(name in known or not value for name, value in options.items())
    if not is_plain or "VOILA_PREHEAT" not in env or env.get("FASTCLF_OWNER") == "1":
        return None
    if cmd[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
        return None
    return KernelRequest(cmd[3:], dict(env), None if options.get("cwd") is None else str(options["cwd"]))
