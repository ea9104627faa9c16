"""Where a phone in the same network opens the page of a server: a link, and its code for the camera."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from urllib.parse import urlsplit

from .console import say

_EVERYWHERE = ("0.0.0.0", "::", "")
# of no machine, and nothing is sent there: the system is asked which of its addresses it would be sent from
_ELSEWHERE = ("192.0.2.1", 9)


def tell_phone(url: str, host: str, named: str) -> None:
    """Say where a phone opens the page at `url`, where the server listens to more than this machine.

    `named` are the names of a proxy in front, by default the environment's; phones open those. The code
    is for a terminal, no log has it.
    """
    address = _find_own_address() if host in _EVERYWHERE else host
    if (
        address is None
        or (named or os.environ.get("FASTCLF_HOSTS", "")).strip()
        or address == "localhost"
        or address.startswith(("127.", "::1"))
    ):
        return
    link = urlsplit(url)._replace(
        netloc=f"{f'[{address}]' if ':' in address else address}:{urlsplit(url).port}"
    )
    say(f"A phone in the same network opens {link.geturl()}")
    if sys.stderr.isatty():
        from ..sharing import draw_qr

        say(draw_qr(link.geturl()))


def _find_own_address() -> str | None:
    """Return this machine's address in its network, None where it is in none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return None
        return str(probe.getsockname()[0])
