"""The library that stands between a program and its C library: built once a run, put before a process."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..conftest import ROOT

SOURCE = Path(__file__).with_name("shim.c")
MISSING = "needs gcc on Linux: a library between a program and its C library records and refuses writes"


def find_compiler() -> str | None:
    # the calls are those of 64-bit machines, where SQLite and Python name no others
    ready = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
    return shutil.which("gcc") if ready else None


def build(folder: Path) -> str:
    """Compile it; returns its path."""
    made = folder / "shim.so"
    command = [
        str(find_compiler()),
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        str(made),
        str(SOURCE),
        "-ldl",
        "-lpthread",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return str(made)


def preloaded(shim: str, root: Path, **values: object) -> dict[str, str]:
    """The environment of a process that runs behind the library; `values` are what it is to do."""
    named = {f"SHIM_{name.upper()}": str(value) for name, value in values.items()}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "LD_PRELOAD": shim, "SHIM_ROOT": str(root), "PYTHONPATH": paths, **named}


def run_behind(command: Sequence[object], env: dict[str, str], timeout: float = 120) -> str:
    """Run a command that has to end well; returns what it said."""
    words = list(map(str, command))
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
