"""Fixtures: a home of its own, no network but loopback, drawn photos, a zoo of bad files, a toy model."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from filelock import FileLock
from PIL import Image
from pytest_socket import socket_allow_hosts

from fastclf.catalog import Catalog

from .drawing import draw_photos
from .scanned import scanned
from .toy import write_toy_bundle

ROOT = Path(__file__).parent.parent

# jsonschema would make grammars of it for over a second in each worker, and no test asks for them
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

if "PYTEST_XDIST_WORKER" in os.environ:
    # two threads each on two cores that another file's tests need as well would mostly wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--docs-pictures", action="store_true", help="write the pictures of docs/ anew")
    parser.addoption("--part", metavar="K/N", help="of the tests that are left, every N-th from the K-th on")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files that a quick run would only read to take none of their tests."""
    if "not slow" not in config.getoption("markexpr") or collection_path.suffix != ".py":
        return None
    is_slow = re.search(
        r"^pytestmark = (\[\n    )?pytest\.mark\.slow", collection_path.read_text(), re.MULTILINE
    )
    return True if is_slow else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the collector what a run keeps to its end: half of the collecting went into looking through it again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # what takes long comes first, so that no worker waits for another one's last file; a notebook takes longest
    items.sort(key=lambda item: ("notebooks" not in item.nodeid, item.get_closest_marker("slow") is None))
    if part := config.getoption("--part"):
        first, step = map(int, part.split("/"))
        chosen = items[first - 1 :: step]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the servers that the run shared, once no worker is left to use them."""
    if not hasattr(session.config, "workerinput"):
        for record in session.config._tmp_path_factory.getbasetemp().glob("server-*.json"):
            _, (_, pid, _) = json.loads(record.read_text())
            try:
                process = psutil.Process(pid)
                family = [process, *process.children(recursive=True)]
                process.terminate()
            except psutil.NoSuchProcess:
                continue
            for left in psutil.wait_procs(family, timeout=15)[1]:
                left.kill()


_RESOLVED: dict[str, set[str]] = {}


def pytest_runtest_setup() -> None:
    hosts = ["127.0.0.1", "localhost", "::1"]
    socket_allow_hosts(hosts, allow_unix_socket=True, resolution_cache=_RESOLVED)


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


@pytest.fixture(scope="session")
def scanned_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty drawn photos of three classes, red, green and blue, with their catalog; tests take copies."""
    folder = draw_photos(tmp_path_factory.mktemp("scanned") / "photos", per_class=10)
    scanned(folder).close()
    return folder


@pytest.fixture
def photo_folder(scanned_photos: Path, tmp_path: Path) -> Path:
    """Those photos, without a catalog."""
    return shutil.copytree(scanned_photos, tmp_path / "photos", ignore=shutil.ignore_patterns(".fastclf"))


@pytest.fixture
def catalog(scanned_photos: Path, photo_folder: Path) -> Iterator[Catalog]:
    """Those photos, scanned by Ann."""
    shutil.copytree(scanned_photos / ".fastclf", photo_folder / ".fastclf")
    with scanned(photo_folder) as catalog:
        yield catalog


@pytest.fixture
def toy_model(tmp_path: Path) -> Path:
    """A bundle made without torch that tells red, green and blue photos apart, and does so rightly."""
    return write_toy_bundle(tmp_path / "model")


@pytest.fixture
def red_png(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), (220, 30, 30)).save(path)
    return path


Once = Callable[[str, Callable[[Path], Any]], Any]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Do a thing once a run, in a folder that all workers share; what it returns has to be JSON."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def go(name: str, do: Callable[[Path], Any]) -> Any:
        record, by = root / f"{name}.json", f"{do.__module__}.{do.__qualname__}"
        with FileLock(root / f"{name}.lock"):
            if not record.is_file():
                shutil.rmtree(root / name, ignore_errors=True)
                (root / name).mkdir()
                record.write_text(json.dumps([by, do(root / name)]))
        made_by, made = json.loads(record.read_text())
        assert made_by == by, f"two things are called {name}"
        return made

    return go


@dataclass(frozen=True)
class Trained:
    """What `fastclf train digits` left behind."""

    folder: Path
    stdout: str
    stderr: str

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def photos(self) -> Path:
        return self.folder / "photos" / "digits"


@pytest.fixture(scope="session")
def trained(home: Path, once: Once) -> Trained:
    """The digits model, trained once a run by the real command."""

    def train(folder: Path) -> tuple[str, str, str]:
        done = run_fastclf("train", "digits", "--json", cwd=folder, timeout=400)
        assert done.returncode == 0, done.stderr
        return str(folder), done.stdout, done.stderr

    folder, stdout, stderr = once("trained", train)
    return Trained(Path(folder), stdout, stderr)


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
