"""The inside of the zygote: it waits for requests on a socket, and each makes a fork of it a kernel.

Everything that a kernel needs is loaded before, so a fork shares that memory with all others, and is there in
the time of a few messages. What has to differ is made in the fork: the session and its key (Jupyter's, from
the kernel's own connection file), sockets, threads, random numbers, the environment.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, Self

import numpy as np

# A kernel's options beside those that it is started with: a fork has a watch of its own over its server;
# nobody looks at a session's history, nor at what a library writes to a descriptor.
_OPTIONS = (
    "--IPKernelApp.parent_handle=1", "--HistoryManager.enabled=False",
    "--IPKernelApp.capture_fd_output=False",
)  # fmt: skip
_LENGTH = 4


@dataclass(frozen=True)
class KernelRequest:
    """What a kernel is started with: the arguments of ipykernel, its environment, its folder."""

    arguments: list[str]
    env: dict[str, str]
    cwd: str | None = None

    def pack(self) -> bytes:
        """Return it as bytes, their number first."""
        data = json.dumps(asdict(self)).encode()
        return len(data).to_bytes(_LENGTH, "big") + data

    @classmethod
    def receive(cls, control: socket.socket) -> Self | None:
        """Wait for one; None once the other end is closed."""
        length = _receive(control, _LENGTH)
        data = length and _receive(control, int.from_bytes(length, "big"))
        return cls(**json.loads(data)) if data else None


def _receive(control: socket.socket, n: int) -> bytes:
    """Return `n` bytes, or none where the other end is closed before."""
    parts: list[bytes] = []
    while n:
        part = control.recv(min(n, 2**16))
        if not part:
            return b""
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def run_kernels(control: socket.socket, lifeline: int) -> None:
    """Fork a kernel at each request until the other end of `control` is closed.

    Each is answered with the number of its process and a descriptor of it. A kernel ends when the other end
    of `lifeline`, a pipe that the server holds, is closed; it outlives this process.
    """
    # nobody waits for a kernel here: whoever asked for it watches its descriptor
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.sendall(b"+")
    while (request := KernelRequest.receive(control)) is not None:
        pid = os.fork()
        if not pid:
            control.close()
            _become_kernel(request, lifeline)
        try:
            handle = os.pidfd_open(pid)
        except OSError:  # it is gone already
            control.sendall((0).to_bytes(_LENGTH, "big"))
            continue
        socket.send_fds(control, [pid.to_bytes(_LENGTH, "big")], [handle])
        os.close(handle)


def _become_kernel(request: KernelRequest, lifeline: int) -> NoReturn:
    """Be a kernel until it is ended; nothing of the zygote's stack is gone back to."""
    status = 1
    try:
        _begin_anew(request, lifeline)
        _run_kernel(request.arguments)
        status = 0
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, this process is over
        traceback.print_exc(file=sys.__stderr__)
    finally:
        # taking all modules down would only copy the memory that is shared
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        os._exit(status)


def _begin_anew(request: KernelRequest, lifeline: int) -> None:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    threading.Thread(target=_end_with_server, args=(lifeline,), daemon=True).start()
    os.environ.clear()
    os.environ.update(request.env)
    if request.cwd:
        os.chdir(request.cwd)
    # Python's own generator draws a new state in each fork, NumPy's does not
    np.random.seed()
    sys.argv = ["ipykernel_launcher", *request.arguments]
    _show_name(["python", "-m", *sys.argv])


def _end_with_server(lifeline: int) -> None:
    """End at once when the server is gone, however it went: the system closes its end of the pipe."""
    with contextlib.suppress(OSError):
        while os.read(lifeline, 1):
            pass
    os._exit(1)


def _run_kernel(arguments: list[str]) -> None:
    from ipykernel.kernelapp import IPKernelApp
    from ipywidgets import load_ipython_extension

    app = IPKernelApp.instance()
    app.initialize([*arguments, *_OPTIONS])
    # it was imported where there was no kernel to tell
    load_ipython_extension(app.shell)
    app.start()
    # threads that are not over yet find their sockets closed
    logging.disable()


def _show_name(words: list[str]) -> None:
    """Let lists of processes show a kernel's own command, in the room that the zygote's has."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        name = b"\0".join(os.fsencode(word) for word in words)[: end - start - 1]
        if start and name:
            ctypes.memmove(start, name.ljust(end - start, b"\0"), end - start)
