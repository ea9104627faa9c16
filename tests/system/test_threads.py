"""Work in the background of a process that ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# the main thread is over while the other is in ONNX Runtime, again and again
NATIVE = """
import sys, time
from fastclf.system import start_thread
from fastclf.model import Predictor
def work():
    for _ in range(5):
        Predictor(sys.argv[1])
    print("done", flush=True)
start_thread(work)
time.sleep(float(sys.argv[2]))
"""
HUNG = """
import threading, fastclf.system.threads as threads
threads._WAIT = 0.3
threads.start_thread(threading.Event().wait)
"""


@pytest.mark.slow
def test_a_process_that_ends_waits_for_native_work(toy_model: Path) -> None:
    for seconds in ("0", "0.05", "0.1"):
        command = [sys.executable, "-c", NATIVE, str(toy_model), seconds]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_process_that_ends_does_not_wait_for_ever() -> None:
    start = time.monotonic()
    assert subprocess.run([sys.executable, "-c", HUNG], check=False, timeout=60).returncode == 0
    assert time.monotonic() - start < 30


def test_no_other_thread_is_left_behind() -> None:
    # fetches wait for servers, never for native code, and nobody waits for them
    # nor does a server's wait for the end of whoever started it
    # nor does a look at what others changed, which asks SQLite and the disk every two seconds
    allowed = {
        "fastclf/system/threads.py",
        "fastclf/collect/web/timed.py",
        "fastclf/dashboard/clean/watch.py",
        "fastclf/server/child.py",
        "fastclf/score/pool.py",
        "fastclf/server/forking.py",
        "fastclf/server/forks.py",
    }
    found = {
        str(f.relative_to(ROOT)) for f in (ROOT / "fastclf").rglob("*.py") if "daemon=True" in f.read_text()
    }
    assert found == allowed
