"""Fixtures: a home of its own, no network but loopback, drawn photos, a zoo of bad files, a toy model."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from pytest_socket import socket_allow_hosts

from .drawing import draw_photos
from .toy import write_toy_bundle

ROOT = Path(__file__).parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # two threads each on two cores that another file's tests need as well would mostly wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing that a test starts reads or writes the real home."""
    folder = tmp_path_factory.mktemp("home")
    names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")
    for name in names:
        os.environ[name] = str(folder if name == "HOME" else folder / name.lower())
    for name in [n for n in os.environ if n.startswith("FASTCLF_") and n != "FASTCLF_CHROMIUM"]:
        del os.environ[name]
    # the tests' own scripts stand first, so that `fastclf` and `jupyter` are this environment's
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return folder


@pytest.fixture(autouse=True)
def seeds() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Thirty drawn photos of three classes: red, green and blue."""
    return draw_photos(tmp_path / "photos", per_class=10)


@pytest.fixture
def toy_model(tmp_path: Path) -> Path:
    """A bundle made without torch that tells red, green and blue photos apart, and does so rightly."""
    return write_toy_bundle(tmp_path / "model")


@pytest.fixture
def red_png(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), (220, 30, 30)).save(path)
    return path


@dataclass(frozen=True)
class Trained:
    """What `fastclf train digits` left behind."""

    folder: Path
    model: Path
    photos: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def trained(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The digits model, trained once a session by the real command; files that run side by side share it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, record = root / "trained", root / "trained.json"
    with FileLock(root / "trained.lock"):
        if not record.is_file():
            folder.mkdir()
            done = run_fastclf("train", "digits", "--json", cwd=folder, timeout=400)
            assert done.returncode == 0, done.stderr
            record.write_text(json.dumps([done.stdout, done.stderr]))
    return Trained(folder, folder / "model", folder / "photos" / "digits", *json.loads(record.read_text()))


def call_fastclf(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in this process; what it prints and its exit code are those of the real one."""
    from fastclf.cli import main

    out, err, status = io.StringIO(), io.StringIO(), 0
    on_term = signal.getsignal(signal.SIGTERM)
    with (
        pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):  # fmt: skip
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["fastclf", *map(str, args)])
        try:
            main()
        except SystemExit as e:
            status = int(e.code or 0)
    signal.signal(signal.SIGTERM, on_term)
    return subprocess.CompletedProcess(args, status, out.getvalue(), err.getvalue())


def run_fastclf(*args: object, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "fastclf", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
