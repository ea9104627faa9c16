"""A server whose machine has no memory left: who comes then gets a page, and who comes later an answer."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from ..browser.servers import build_checkout, start, stop

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="the system has no limit on a process's memory"),
]


def fetch(url: str) -> tuple[int, bytes]:
    """Return status and what came of a page within half a minute."""
    came = b""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            while more := response.read1(65536):
                came += more
            return response.status, came
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except (TimeoutError, HTTPException, ConnectionError):  # it was broken off
        return 0, came


def test_a_server_without_memory_shows_a_page_and_serves_again_once_there_is_some(
    toy_model: Path, tmp_path: Path
) -> None:
    server = start("serve", build_checkout(tmp_path / "checkout", model=toy_model))
    try:
        status, whole = fetch(server.url)
        assert status == 200
        voila = next(p for p in server.process.children(recursive=True) if "Voila" in " ".join(p.cmdline()))
        # its kernels have the same limit
        for room in (0, 1, 8, 40, 80):
            most = voila.memory_info().vms + room * 2**20
            voila.rlimit(psutil.RLIMIT_AS, (most, -1))
            _, came = fetch(server.url)
            assert b"Traceback" not in came
            voila.rlimit(psutil.RLIMIT_AS, (-1, -1))
            assert voila.is_running()
        fetch(server.url)  # a kernel that was made meanwhile
        status, again = fetch(server.url)
        assert (status, len(again)) == (200, pytest.approx(len(whole), rel=0.05))
    finally:
        stop(server.process)
