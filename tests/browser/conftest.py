"""A real Voila server and a real Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ..conftest import ROOT, Trained
from .access import find_violations

CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCREENSHOTS = ROOT / "tests" / "screenshots"


@dataclass
class Server:
    """A running dashboard."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path


def find_chromium() -> str:
    named = os.environ.get("FASTCLF_CHROMIUM")
    found = (
        named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    if not found:
        pytest.fail(
            "The browser tests need Chromium. Run them with `make test`, which finds or installs one."
        )
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def keep(page: Page, name: str, *, whole: bool = False, check: bool = True) -> None:
    """Keep a screenshot of a state, which has to be without barriers: axe-core finds none in it."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
    if check:
        assert find_violations(page) == []


def keep_all_sizes(page: Page, name: str) -> None:
    """Keep a state from phone to desktop, light and dark; none is wider than its window."""
    size = page.viewport_size
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(200)
            keep(page, f"{name}-{width}-{scheme}", whole=True)
            assert not page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            ), (width, scheme)
    page.set_viewport_size(size)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_checkout(folder: Path, model: Path | None, photos: Path | None) -> Path:
    """Lay a folder out like a checkout in which `make dashboard` has run."""
    folder.mkdir()
    for name in ("dashboard.ipynb", "train.ipynb", "voila.json"):
        shutil.copy(ROOT / name, folder)
    if model:
        shutil.copytree(model, folder / "model")
    if photos:
        shutil.copytree(photos, folder / "photos" / "digits")
    return folder


def build_small_checkout(folder: Path, code: str, settings: dict[str, Any] | None = None) -> Path:
    """Lay out a folder whose dashboard.ipynb runs code of the test; `settings` change Voila's."""
    build_checkout(folder, None, None)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": kernel, "title": "A small page"}, cells=[nbformat.v4.new_code_cell(code)]
    )
    nbformat.write(notebook, folder / "dashboard.ipynb")
    if settings:
        whole = json.loads((folder / "voila.json").read_text())
        whole["VoilaConfiguration"].update(settings)
        (folder / "voila.json").write_text(json.dumps(whole))
    return folder


def start(mode: str, folder: Path, options: Sequence[str] = ()) -> Server:
    """Start the dashboard in one of the three ways that people do."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    env = dict(os.environ)
    if mode == "serve":
        command = [sys.executable, "-m", "fastclf", "serve", "model", f"--port={port}", *options]
    elif mode == "voila":
        command = [
            sys.executable,
            "-m",
            "voila",
            "dashboard.ipynb",
            "--no-browser",
            f"--port={port}",
            *options,
        ]
    else:
        # as Binder does it: Jupyter's own server, with the file that postBuild installs
        (folder / "etc").mkdir()
        shutil.copy(ROOT / "fastclf" / "server" / "jupyter_server_config.json", folder / "etc")
        env["JUPYTER_CONFIG_PATH"] = str(folder / "etc")
        command = [
            sys.executable, "-m", "jupyter", "server", "--no-browser", f"--port={port}",
            "--IdentityProvider.token=", "--allow-root", "--ServerApp.jpserver_extensions={'voila.server_extension': True}",
        ]  # fmt: skip
        url += "voila/render/dashboard.ipynb"
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    wait_for(port, process, folder)
    return Server(url, process, folder)


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"The server did not start:\n{(folder / 'server.log').read_text()}")


def stop(server: Server) -> list[psutil.Process]:
    """Stop a server as an operating system does; return which of its processes stayed."""
    family = psutil.Process(server.process.pid).children(recursive=True)
    server.process.terminate()
    server.process.wait(15)
    _, alive = psutil.wait_procs(family, timeout=15)
    for process in alive:
        process.kill()
    return alive


@pytest.fixture
def launch(tmp_path: Path, trained: Trained) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def go(mode: str, *, model: Path | None = trained.model, options: Sequence[str] = ()) -> Server:
        folder = build_checkout(tmp_path / f"checkout{len(servers)}", model, trained.photos)
        servers.append(start(mode, folder, options))
        return servers[-1]

    yield go
    for server in servers:
        if server.process.poll() is None:
            stop(server)


def fetch(url: str) -> tuple[int, bytes]:
    """GET a URL exactly as it is written; return status and body."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
