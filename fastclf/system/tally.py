"""What a visitor's process tells its server of its work, as numbers: datagrams, which nobody waits for."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from typing import Any

# Names the server's socket to the processes that it starts; no setting of anybody.
TALLY = "TALLY_OF_FASTCLF"
_MOST = 256


def send_tally(kind: str, **numbers: float | bool) -> None:
    """Tell the server of one thing; nothing happens where none listens, or it is busy."""
    path = os.environ.get(TALLY)
    if not path or not hasattr(socket, "AF_UNIX"):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        line.sendto(json.dumps({"kind": kind, **numbers}).encode(), path)


def listen_for_tallies(folder: str) -> socket.socket | None:
    """Open the socket in a private folder, and name it to the processes started from now on.

    None where the system has no such sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        return None
    path = os.path.join(folder, "tally")  # noqa: PTH118
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        line.bind(path)
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101
    except OSError:
        line.close()
        return None
    line.setblocking(False)
    os.environ[TALLY] = path
    return line


def read_tally(line: socket.socket) -> dict[str, Any] | None:
    """Return what was told, {} where it cannot be read, None once there is nothing more."""
    try:
        found = json.loads(line.recv(_MOST))
    except BlockingIOError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
